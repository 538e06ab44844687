import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { childrenOf, start } from "./process.mjs";

const MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"; // Debian's libnginx-mod-nchan
const NGINX = "/usr/sbin/nginx";

export const hasNchan = () => existsSync(MODULE) && existsSync(NGINX);

/** nginx with one worker: POST /pub publishes, GET /sub is the event stream. */
export async function startNchan() {
  const directory = await mkdtemp(join(tmpdir(), "spacefeed-nchan-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  await writeFile(join(directory, "nginx.conf"), configuration(directory, port));
  const { child, pid, stop } = start(NGINX, ["-c", join(directory, "nginx.conf"), "-e", "stderr"]);
  child.stdin.end();
  await untilAnswers(port);
  return {
    port,
    pids: [pid, ...childrenOf(pid)],
    stop,
  };
}

const configuration = (directory, port) => `
load_module ${MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
${process.getuid() === 0 ? "user root;" : ""}
pid ${directory}/nginx.pid;
error_log stderr crit;
events { worker_connections 16000; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  client_body_buffer_size 64k;
  keepalive_requests 1000000;
  tcp_nodelay on;
  nchan_shared_memory_size 256M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /pub {
      nchan_publisher;
      nchan_channel_id feed;
      nchan_message_buffer_length 200;
      nchan_message_timeout 10m;
    }
    location = /sub {
      nchan_subscriber eventsource;
      nchan_channel_id feed;
      nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 2;
    }
  }
}
`;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function untilAnswers(port) {
  const answers = () =>
    new Promise((resolve) => {
      const asking = request({ port, host: "127.0.0.1", path: "/" }, (response) => {
        response.resume();
        resolve(true);
      });
      asking.on("error", () => resolve(false)).end();
    });
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await answers()) return;
    await delay(50);
  }
  throw new Error("nginx does not answer");
}
