"""Tokens by PyJWT: `mission.py ISSUER` prints an issuer's key and some of its tokens, each by what is special of it."""

import json
import sys
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = sys.argv[1]
NOW = int(time.time())
KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())


def token(key=KEY, **changes):
    claims = {"iss": ISSUER, "aud": "api", "sub": "anna", "iat": NOW - 10, "exp": NOW + 3600, "scope": "orders:read"}
    return jwt.encode({**claims, **changes}, key, "ES256", {"kid": "2027"})


jwk = jwt.get_algorithm_by_name("ES256").to_jwk(KEY.public_key(), as_dict=True)
tokens = {
    "reader": token(),
    "payer": token(sub="paula", scope="orders:read payments:write"),
    "clerk": token(sub="carl", roles=["clerk"]),
    "busy": token(sub="busy"),
    "expired": token(exp=NOW - 60),
    "of_others": token(aud="billing"),
    "forged": token(STRANGER),
}
json.dump({"key": {**jwk, "kid": "2027", "alg": "ES256", "use": "sig"}, "tokens": tokens}, sys.stdout)
