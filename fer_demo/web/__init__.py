"""The upload widget, the HTTP API and what else the application serves beside its pages."""
