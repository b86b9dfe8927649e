"""Makes the container that the tests use, in the Azure server that `run.sh` has started.

Everything comes from the environment: STOPMARK_AZURE_ENDPOINT, _ACCOUNT, _KEY and _CONTAINER. Ends with 0 when
the container is there. The agent itself never makes containers, so its client has no call for it.
"""

import base64
import hashlib
import hmac
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from email.utils import formatdate

VERSION = "2021-12-02"


def signature(account: str, key: str, date: str, path: str) -> str:
    """The header of Azure's "shared key": eleven standard headers are empty, then ours, then the resource."""
    headers = f"x-ms-date:{date}\nx-ms-version:{VERSION}\n"
    text = "PUT\n" + "\n" * 11 + headers + f"/{account}{path}\nrestype:container"
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"


def main() -> int:
    endpoint, account, key, container = (
        os.environ[f"STOPMARK_AZURE_{name}"] for name in ("ENDPOINT", "ACCOUNT", "KEY", "CONTAINER")
    )
    url = f"{endpoint}/{container}"
    date = formatdate(usegmt=True)
    request = urllib.request.Request(f"{url}?restype=container", method="PUT", data=b"")
    # urllib would add a content type, which Azure signs.
    request.add_header("Content-Type", "")
    request.add_header("x-ms-date", date)
    request.add_header("x-ms-version", VERSION)
    request.add_header("Authorization", signature(account, key, date, urllib.parse.urlsplit(url).path))
    try:
        with urllib.request.urlopen(request, timeout=10):
            return 0
    except urllib.error.HTTPError as error:
        print(f"{error.code} {error.read(500)!r}")
        return 0 if error.code == 409 else 1
    except OSError as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
