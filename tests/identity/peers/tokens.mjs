// Tokens by npm's `jose`: `tokens.mjs ISSUER` prints keys, good tokens of all algorithms, and forged ones with the reason
// that a gateway should write down.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const jose = await import(pathToFileURL(createRequire(`${process.env.NODE_PATH}/`).resolve("jose")));

const issuer = process.argv[2];
const secrets = "https://secrets.example/";
const now = Math.floor(Date.now() / 1000);
const algorithms = ["HS", "RS", "PS", "ES"].flatMap((kind) => ["256", "384", "512"].map((size) => kind + size));
algorithms.push("EdDSA");

const isSecret = (alg) => alg.startsWith("HS");
const keys = {};
for (const alg of algorithms) {
  keys[alg] = isSecret(alg)
    ? { privateKey: crypto.getRandomValues(new Uint8Array(64)) }
    : await jose.generateKeyPair(alg, { extractable: true });
}
const other = await jose.generateKeyPair("RS256", { extractable: true });

async function jwk(alg) {
  const key = isSecret(alg)
    ? { kty: "oct", k: jose.base64url.encode(keys[alg].privateKey) }
    : await jose.exportJWK(keys[alg].publicKey);
  return { ...key, kid: alg, alg };
}

function claims(changes = {}) {
  const all = { iss: issuer, aud: "api", sub: "u1", iat: now - 10, nbf: now - 10, exp: now + 3600, scope: "orders:read" };
  return { ...all, ...changes };
}

const sign = (payload, header, key) =>
  new jose.CompactSign(new TextEncoder().encode(JSON.stringify(payload))).setProtectedHeader(header).sign(key);
const good = (alg) =>
  new jose.SignJWT(claims(isSecret(alg) ? { iss: secrets } : {}))
    .setProtectedHeader({ alg, kid: alg, typ: "at+jwt" })
    .sign(keys[alg].privateKey);

const header = { alg: "RS256", kid: "RS256" };
const key = keys.RS256.privateKey;
const forged = [
  ["no signature", "jwt_alg_none", new jose.UnsecuredJWT(claims()).encode()],
  ["another key", "jwt_bad_signature", await sign(claims(), header, other.privateKey)],
  [
    "another key in the header",
    "jwt_bad_signature",
    await sign(claims(), { ...header, jwk: await jose.exportJWK(other.publicKey) }, other.privateKey),
  ],
  ["expired", "jwt_expired", await sign(claims({ exp: now - 30 }), header, key)],
  ["no end", "jwt_no_expiry", await sign(claims({ exp: undefined }), header, key)],
  ["not yet", "jwt_not_yet_valid", await sign(claims({ nbf: now + 60 }), header, key)],
  ["another audience", "jwt_wrong_audience", await sign(claims({ aud: ["a", "p", "i"] }), header, key)],
  ["another issuer", "jwt_unknown_issuer", await sign(claims({ iss: "https://evil.example/" }), header, key)],
  ["another type", "jwt_wrong_type", await sign(claims(), { ...header, typ: "secevent+jwt" }, key)],
  [
    "an encrypted token",
    "jwt_encrypted",
    await new jose.EncryptJWT(claims())
      .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
      .encrypt(crypto.getRandomValues(new Uint8Array(32))),
  ],
  [
    "an unencoded payload",
    "jwt_crit",
    await sign(claims(), { ...header, b64: true, crit: ["b64"] }, key),
  ],
].map(([name, reason, token]) => ({ name, reason, token }));

const of = async (wanted, make) => Promise.all(algorithms.filter(wanted).map(make));
console.log(
  JSON.stringify({
    keys: await of((alg) => !isSecret(alg), jwk),
    secrets: await of(isSecret, jwk),
    good: Object.fromEntries(await of(() => true, async (alg) => [alg, await good(alg)])),
    forged,
  }),
);
