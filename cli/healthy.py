"""Whether a service answers that it is ready: for the health checks of containers, which have no other program for it.

python -m cli.healthy http://127.0.0.1:8700/readyz

Imports nothing that takes long: it runs every few seconds.
"""

import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

_TIMEOUT_S = 3


def main(url: str) -> int:
    """0 for any answer that is good, 1 for every other and for none. What was said goes to standard output."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace")[:300])
    except (OSError, HTTPException) as error:
        print(f"{url}: {error}")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
