"""Tokens by PyJWT: `tokens.py ISSUER` prints keys, good tokens of all algorithms, and forged ones with the reason that
a gateway should write down."""

import base64
import hashlib
import hmac
import json
import sys
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = sys.argv[1]
SECRETS = "https://secrets.example/"
NOW = int(time.time())


def private_key(alg):
    if alg.startswith("HS"):
        return bytes(range(64))
    if alg.startswith("ES"):
        return ec.generate_private_key({"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}[alg]())
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


ALGORITHMS = [kind + size for kind in ("HS", "RS", "PS", "ES") for size in ("256", "384", "512")] + ["EdDSA"]
KEYS = {alg: private_key(alg) for alg in ALGORITHMS}
OTHER = {alg: private_key(alg) for alg in ("RS256", "ES256", "EdDSA")}


def jwk(alg):
    algorithm = jwt.get_algorithm_by_name(alg)
    key = KEYS[alg] if alg.startswith("HS") else KEYS[alg].public_key()
    return {**algorithm.to_jwk(key, as_dict=True), "kid": alg, "alg": alg, "use": "sig"}


def claims(**changes):
    merged = {
        "iss": ISSUER,
        "aud": ["api", "other"],
        "sub": "u1",
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 3600,
        "scope": "orders:read",
        **changes,
    }
    return {name: value for name, value in merged.items() if value is not None}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode(header, payload, key=KEYS["RS256"], alg="RS256"):
    """What PyJWT would refuse to sign is signed by its algorithms, piece by piece."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    message = f"{b64(header)}.{b64(payload)}"
    return f"{message}.{b64(jwt.get_algorithm_by_name(alg).sign(message.encode(), key))}"


def good(alg):
    issuer = SECRETS if alg.startswith("HS") else ISSUER
    return jwt.encode(claims(iss=issuer), KEYS[alg], algorithm=alg, headers={"kid": alg})


def head(**changes):
    merged = {"alg": "RS256", "kid": "RS256", "typ": "JWT", **changes}
    return {name: value for name, value in merged.items() if value is not None}


def by_secret(secret, header):
    message = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims()).encode())}"
    return f"{message}.{b64(hmac.new(secret, message.encode(), hashlib.sha256).digest())}"


def forged():
    rs256 = good("RS256")
    header, payload, signature = rs256.split(".")
    pem = KEYS["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = KEYS["RS256"].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    admin = b64(json.dumps(claims(sub="admin")).encode())
    twice = json.dumps(claims()).replace('"sub": "u1"', '"sub": "u1", "sub": "admin"').encode()

    yield "no signature", "jwt_alg_none", jwt.encode(claims(), None, algorithm="none")
    yield "NONE", "jwt_alg_none", b64(b'{"alg":"NONE"}') + f".{payload}."
    yield "a signature left out", "jwt_bad_signature", f"{header}.{payload}."
    yield "the public key in PEM as a secret", "jwt_wrong_algorithm", by_secret(pem, head(alg="HS256"))
    yield "the public key in DER as a secret", "jwt_wrong_algorithm", by_secret(der, head(alg="HS256"))
    yield "the public key as a secret, no key named", "jwt_wrong_algorithm", by_secret(pem, head(alg="HS256", kid=None))
    yield "another key", "jwt_bad_signature", encode(head(), claims(), OTHER["RS256"])
    other = jwt.get_algorithm_by_name("RS256").to_jwk(OTHER["RS256"].public_key(), as_dict=True)
    yield "another key in the header", "jwt_bad_signature", encode(head(jwk=other), claims(), OTHER["RS256"])
    evil = "https://evil.example/keys"
    yield "an address of keys", "jwt_unknown_key", encode(head(kid="evil", jku=evil), claims(), OTHER["RS256"])
    yield "an address of certificates", "jwt_unknown_key", encode(head(kid="evil", x5u=evil), claims(), OTHER["RS256"])
    yield "a path for a key's name", "jwt_unknown_key", encode(head(kid="../../../dev/null"), claims())
    yield "a key's name in lower case", "jwt_unknown_key", encode(head(kid="rs256"), claims())
    yield "a number for a key's name", "jwt_bad_kid", encode(head(kid=1), claims())
    yield "another key's name", "jwt_wrong_algorithm", encode(head(kid="ES256"), claims())
    yield "RS512 by the key of RS256", "jwt_wrong_algorithm", encode(head(alg="RS512"), claims(), alg="RS512")
    yield "PS256 by the key of RS256", "jwt_wrong_algorithm", encode(head(alg="PS256"), claims(), alg="PS256")
    yield "an algorithm nobody knows", "jwt_alg_unknown", encode(head(alg="RS1"), claims())
    yield "ES256 by another key", "jwt_bad_signature", encode(
        head(alg="ES256", kid="ES256"), claims(), OTHER["ES256"], "ES256"
    )
    yield "EdDSA by another key", "jwt_bad_signature", encode(
        head(alg="EdDSA", kid="EdDSA"), claims(), OTHER["EdDSA"], "EdDSA"
    )
    es256 = good("ES256").rsplit(".", 1)[0]
    yield "a curve's signature of zeros", "jwt_bad_signature", f"{es256}.{b64(bytes(64))}"
    yield "claims changed", "jwt_bad_signature", f"{header}.{admin}.{signature}"
    yield "two parts", "jwt_malformed", f"{header}.{payload}"
    yield "padding", "jwt_malformed", f"{header}.{payload}.{signature}=="
    yield "an encrypted token", "jwt_encrypted", f"{header}.{payload}.{payload}.{payload}.{signature}"
    yield "a payload that is a list", "jwt_bad_claims", encode(head(), b"[]")
    yield "two subjects", "jwt_bad_claims", encode(head(), twice)
    yield "two algorithms", "jwt_bad_header", encode(b'{"alg":"RS256","kid":"RS256","alg":"none"}', claims())
    yield "an extension", "jwt_crit", encode(head(crit=["x"], x=1), claims())
    yield "an unencoded payload", "jwt_unencoded_payload", encode(head(b64=False), claims())
    yield "a token in the token", "jwt_nested", encode(head(cty="JWT"), claims())
    yield "a compressed payload", "jwt_compressed", encode(head(zip="DEF"), claims())
    yield "another type", "jwt_wrong_type", encode(head(typ="dpop+jwt"), claims())
    yield "without end in size", "jwt_too_large", encode(head(), claims(x="x" * 8192))
    yield "no issuer", "jwt_no_issuer", encode(head(), claims(iss=None))
    yield "another issuer", "jwt_unknown_issuer", encode(head(), claims(iss="https://evil.example/"))
    yield "the issuer without its slash", "jwt_unknown_issuer", encode(head(), claims(iss=ISSUER.rstrip("/")))
    yield "the issuer of secrets, by this key", "jwt_unknown_key", encode(head(), claims(iss=SECRETS))
    yield "this issuer, by the secret", "jwt_wrong_algorithm", by_secret(KEYS["HS256"], head(alg="HS256"))
    yield "no audience", "jwt_no_audience", encode(head(), claims(aud=None))
    yield "another audience", "jwt_wrong_audience", encode(head(), claims(aud="apis"))
    yield "no subject", "jwt_no_subject", encode(head(), claims(sub=None))
    yield "no end", "jwt_no_expiry", encode(head(), claims(exp=None))
    yield "expired", "jwt_expired", encode(head(), claims(exp=NOW - 30))
    yield "a text for the end", "jwt_bad_time", encode(head(), claims(exp=str(NOW + 3600)))
    yield "not yet", "jwt_not_yet_valid", encode(head(), claims(nbf=NOW + 3600))
    yield "issued ahead", "jwt_issued_ahead", encode(head(), claims(iat=NOW + 3600))
    yield "a line break in a claim", "jwt_claim_unfit_for_header", encode(head(), claims(name="a\r\nx-admin: 1"))


print(
    json.dumps(
        {
            "keys": [jwk(alg) for alg in ALGORITHMS if not alg.startswith("HS")],
            "secrets": [jwk(alg) for alg in ALGORITHMS if alg.startswith("HS")],
            "good": {alg: good(alg) for alg in ALGORITHMS},
            "forged": [dict(zip(("name", "reason", "token"), case)) for case in forged()],
        }
    )
)
