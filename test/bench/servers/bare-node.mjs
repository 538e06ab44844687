// Node without a framework or a database: what Node itself costs. One Buffer for all clients, and a ring of the
// last messages for those that come back. MODE=socket writes to the sockets, MODE=response to Node's responses.
// POST is a message, GET a stream.

import { createServer } from "node:http";

const RING = 1_000;
const HEARTBEAT = Buffer.from("event: heartbeat\ndata: {}\n\n");
const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

const outlets = new Set();
const ring = [];
let version = 0;

const server = createServer((request, response) => {
  if (request.method === "POST") publish(request, response);
  else subscribe(request, response);
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  process.send({ port: server.address().port });
});
setInterval(() => {
  for (const outlet of outlets) outlet.write(HEARTBEAT);
}, 2_000);
process.on("disconnect", () => process.exit());

function publish(request, response) {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const frame = Buffer.from(`id: ${++version}\ndata: ${Buffer.concat(chunks)}\n\n`);
    ring.push(frame);
    if (ring.length > RING) ring.shift();
    for (const outlet of outlets) outlet.write(frame);
    response.end();
  });
}

function subscribe(request, response) {
  const outlet = process.env.MODE === "socket" ? request.socket : response;
  if (outlet === response) response.writeHead(200, { "Content-Type": "text/event-stream" });
  else outlet.write(HEAD);
  outlet.write("retry: 1000\n\n");
  const since = request.headers["last-event-id"];
  if (since) for (const frame of ring.slice(ring.length - (version - Number(since)))) outlet.write(frame);
  outlets.add(outlet);
  request.socket.on("error", () => {}); // "close" follows
  request.socket.on("close", () => outlets.delete(outlet));
}
