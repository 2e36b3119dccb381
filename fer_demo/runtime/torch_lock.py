"""One thread at a time in a model whose hooks would see another thread's data."""

import threading
from weakref import WeakKeyDictionary

import torch.nn as nn

_locks: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_locks_lock = threading.Lock()


def lock(model: nn.Module) -> threading.RLock:
    """The lock under which a model is run and hooks are set on it.

    Explanations set hooks that record or change what passes through. A thread that runs the model at that moment would
    be recorded, or answered with the change.
    """
    with _locks_lock:
        return _locks.setdefault(model, threading.RLock())
