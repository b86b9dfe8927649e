"""What Python 3.10 took out of `collections` and mssql-cli 1.0.0 still looks for there; read before any program starts."""

import collections
import collections.abc

for name in ("Iterable", "Mapping", "MutableMapping"):
    setattr(collections, name, getattr(collections.abc, name))
