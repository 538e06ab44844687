import { SpacefeedError } from "../../protocol/errors.js";

/** A path of the relay that --url names. Throws `config` where that is no address. */
export function addressOf(given: string, path: string): URL {
  if (!URL.canParse(given)) {
    throw new SpacefeedError("config", `--url ${given} is not an address such as http://127.0.0.1:8787`);
  }
  const url = new URL(given);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}${path}`;
  return url;
}
