/*
 * The launcher's end of the socket, and what waits to go out through it. Bounded: while something waits, no output is read, so
 * no more than one chunk and each action's report can come together.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "launcher.h"

int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1; /* on failure we exit */
}

bool outbox_open(struct outbox *outbox, int socket, size_t capacity)
{
    *outbox = (struct outbox){ .socket = socket, .waiting = malloc(capacity), .capacity = capacity };
    return outbox->waiting;
}

/* How much the socket took; -1 when the worker is gone. */
static ssize_t offer(int socket, const char *bytes, size_t count)
{
    ssize_t sent = send(socket, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool outbox_flush(struct outbox *outbox)
{
    while (outbox->waiting_bytes) {
        ssize_t sent = offer(outbox->socket, outbox->waiting, outbox->waiting_bytes);
        if (sent <= 0)
            return sent == 0;
        outbox->waiting_bytes -= (size_t)sent;
        memmove(outbox->waiting, outbox->waiting + sent, outbox->waiting_bytes);
    }
    return true;
}

bool outbox_send(struct outbox *outbox, char *frame, enum frame_type type, uint64_t id, size_t payload_bytes)
{
    struct frame_header header = { (uint32_t)payload_bytes, type, id };
    size_t bytes = FRAME_HEADER_BYTES + payload_bytes;
    memcpy(frame, &header, sizeof header);
    ssize_t sent = outbox->waiting_bytes ? 0 : offer(outbox->socket, frame, bytes);
    if (sent < 0)
        return false;
    bytes -= (size_t)sent;
    if (outbox->waiting_bytes + bytes > outbox->capacity)
        return false; /* cannot be: each action has one report, and one chunk is under way */
    memcpy(outbox->waiting + outbox->waiting_bytes, frame + sent, bytes);
    outbox->waiting_bytes += bytes;
    return true;
}
