/** A certificate for this machine that nobody trusts unless told to (`NODE_EXTRA_CA_CERTS`), by openssl. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Certificate {
  /** PEM files. */
  readonly certificate: string;
  readonly key: string;
}

/** A new one in this directory. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const [certificate, key] = [join(directory, "certificate.pem"), join(directory, "key.pem")];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  await promisify(execFile)("openssl", ["req", ...kind, ...names, "-keyout", key, "-out", certificate]);
  return { certificate, key };
}
