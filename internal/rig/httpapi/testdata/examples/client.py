import base64
import gzip
import http.client
import json
import os
import random
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ["API_URL"]
CREDENTIALS = base64.b64encode(f"{os.environ['DATASINK_USER']}:{os.environ['DATASINK_PASSWORD']}".encode()).decode()


def post(path: str, body: bytes, tries: int = 6) -> dict:
    """Sends a body, and sends it again after 408, 429, 5xx and network faults."""
    request = urllib.request.Request(
        f"{URL}/archives/{path}",
        data=gzip.compress(body),
        headers={
            "Authorization": f"Basic {CREDENTIALS}",
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "gzip",
            "Idempotency-Key": str(uuid.uuid4()),  # the same for all tries
        },
    )
    for i in range(tries):
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code not in (408, 429) and error.code < 500 or i == tries - 1:
                raise
        except (OSError, http.client.HTTPException):
            if i == tries - 1:
                raise
        time.sleep(random.uniform(0, 0.1 * 2**i))
    raise AssertionError("unreachable")


print(post("orders", json.dumps({"from": "python", "n": 1}).encode()))

lines = [json.dumps({"from": "python", "n": n}) for n in (2, 3, 4)]
answer = post("orders/batch", "".join(line + "\n" for line in lines).encode())
assert answer["records"] == len(lines), answer
print(answer)
