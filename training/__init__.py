"""Trains, evaluates and reports the networks of `fer_demo`; runs in a checkout only."""
