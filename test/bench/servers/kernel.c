/*
 * The least that fan-out can cost: one send() for each message and client, and nothing else.
 * Prints its port, takes any number of connections, and obeys lines on stdin:
 *   paced RATE COUNT BYTES   so many messages a second
 *   full SECONDS BYTES       as fast as it can
 * Answers each with "sent N".
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CLIENTS = 20000, MOST_BYTES = 65536 };

static int clients[MOST_CLIENTS];
static int client_count;
static int number;

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static void wait_until(double when) {
  double left = when - now();
  if (left <= 0) return;
  struct timespec pause = {(time_t)left, (long)((left - (time_t)left) * 1e9)};
  nanosleep(&pause, NULL);
}

static void send_to_all(int bytes) {
  static char frame[MOST_BYTES + 64];
  int length = snprintf(frame, sizeof frame, "data: [\"%*s", bytes - 25, "");
  memset(frame + 8, '.', bytes - 25);
  length += snprintf(frame + length, 64, "~%016.0f%08d\"]\n\n", now() * 1e6, number++);
  for (int i = 0; i < client_count; i++) {
    if (send(clients[i], frame, length, MSG_NOSIGNAL) < 0) clients[i--] = clients[--client_count];
  }
}

static void take_client(int listener) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
  char request[4096];
  int client = accept(listener, NULL, NULL);
  if (client < 0 || client_count == MOST_CLIENTS) return;
  if (recv(client, request, sizeof request, 0) <= 0) return;
  send(client, head, sizeof head - 1, MSG_NOSIGNAL);
  clients[client_count++] = client;
}

static int obey(void) {
  char line[200];
  double rate, seconds;
  int count, bytes, sent = 0;
  if (!fgets(line, sizeof line, stdin)) return 0;
  double start = now();
  if (sscanf(line, "paced %lf %d %d", &rate, &count, &bytes) == 3) {
    for (; sent < count; sent++) {
      wait_until(start + sent / rate);
      send_to_all(bytes);
    }
  } else if (sscanf(line, "full %lf %d", &seconds, &bytes) == 2) {
    for (; now() - start < seconds; sent++) send_to_all(bytes);
  }
  printf("sent %d\n", sent);
  return 1;
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 4096)) return 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("port %d\n", ntohs(address.sin_port));
  for (;;) {
    struct pollfd ready[] = {{listener, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    poll(ready, 2, -1);
    if (ready[0].revents) take_client(listener);
    if (ready[1].revents && !obey()) return 0;
  }
}
