// What browser tests rely on, on one page: modules by their .js names, JSX, the relay below /api, secure context.
import { createRoot } from "react-dom/client";
import { SpacefeedError } from "../../../src/protocol/errors.js";

const received: string[] = [];
const page = {
  received,
  listen: (spaceId: string) => {
    const relay = new URLSearchParams(location.search).get("relay") ?? "";
    const source = new EventSource(`${relay}/api/stream?spaceId=${spaceId}`);
    source.onmessage = ({ data }) => received.push(JSON.parse(data).type);
    return source;
  },
  refuse: () => new SpacefeedError("invalid", "no").code,
};
declare global {
  var supportPage: typeof page;
}
globalThis.supportPage = page;

const root = document.getElementById("root");
if (root) createRoot(root).render(<h1>It works</h1>);
