/* An SMTP server that reads fast and throws away: one epoll loop, PIPELINING, as many connections
   as come. So it is the sender whose speed shows. Usage: fast_sink PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 262144

struct client {
    int fd, in_data;
    size_t held;             /* octets of an unfinished line, or of an unfinished end of content */
    char in[ROOM];
};

static char out[65536];
static size_t out_length;

static void say(const char *line) {
    size_t length = strlen(line);
    if (out_length + length > sizeof out) return;
    memcpy(out + out_length, line, length);
    out_length += length;
}

/* Answer one command; return 1 at the end of the conversation. */
static int answer(struct client *client, const char *line) {
    if (!strncasecmp(line, "EHLO", 4)) say("250-fast\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
    else if (!strncasecmp(line, "DATA", 4)) { client->in_data = 1; say("354 End with .\r\n"); }
    else if (!strncasecmp(line, "QUIT", 4)) { say("221 Bye\r\n"); return 1; }
    else say("250 2.0.0 Ok\r\n");
    return 0;
}

/* Work through what has come; keep what is unfinished. Return 1 at the end. */
static int consume(struct client *client, size_t length) {
    char *at = client->in, *end = client->in + length;
    while (at < end) {
        if (client->in_data) {
            char *dot = memmem(at, end - at, "\r\n.\r\n", 5);
            if (!dot) {
                size_t keep = end - at < 4 ? (size_t)(end - at) : 4;
                memmove(client->in, end - keep, keep);
                client->held = keep;
                return 0;
            }
            at = dot + 5;
            client->in_data = 0;
            say("250 2.0.0 Ok: queued\r\n");
            continue;
        }
        char *newline = memchr(at, '\n', end - at);
        if (!newline) break;
        if (answer(client, at)) return 1;
        at = newline + 1;
    }
    client->held = end - at;
    memmove(client->in, at, client->held);
    return 0;
}

static void serve(int port) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128)) exit(1);
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poll, events, 64, -1);
        for (int number = 0; number < count; number++) {
            struct client *client = events[number].data.ptr;
            if (!client) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                client = calloc(1, sizeof *client);
                client->fd = fd;
                event.data.ptr = client;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                if (send(fd, "220 fast\r\n", 10, MSG_NOSIGNAL) < 0) perror("send");
                continue;
            }
            ssize_t got = recv(client->fd, client->in + client->held, ROOM - client->held, 0);
            int over = got <= 0;
            out_length = 0;
            if (!over) over = consume(client, client->held + got);
            if (out_length && send(client->fd, out, out_length, MSG_NOSIGNAL) < 0) over = 1;
            if (over) { close(client->fd); free(client); }
        }
    }
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    serve(atoi(arguments[1]));
    return 0;
}
