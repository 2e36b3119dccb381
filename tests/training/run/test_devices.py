"""Device and number format are chosen by what the machine can do."""

import sys

import pytest
import torch

from training.run.devices import keep_freed_memory, pick_device, use_bf16


def test_bf16_only_where_it_is_computed_in(monkeypatch):
    cpu = torch.device("cpu")
    assert use_bf16("on", cpu) and not use_bf16("off", cpu)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert not use_bf16("auto", cpu)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert not use_bf16("auto", cpu)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert use_bf16("auto", cpu)
    assert not use_bf16("auto", torch.device("mps"))


def test_device_names():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_memory_is_kept():
    assert keep_freed_memory()


def test_systems_without_glibc(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert not keep_freed_memory()
