/*
 * A spare is the next action's sandbox, made while nobody waits: process 1 with every wall that does not depend on a spec,
 * which then waits for one (init.c, the step "spec"). Its spec and its input root come over its control socket in
 * one message, unix(7) SCM_RIGHTS. It runs that one action and ends; if the launcher ends before, so does the spare.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>

#include "launcher.h"

/* Well below a socket's usual buffer, so that sending never waits; longer specs start without a spare. */
enum { SPARE_SPEC_BYTES_MAX = 64 << 10 };

union rights {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* What a spare has built by the time it waits depends on these alone; cgroup limits are the launcher's to change. */
bool spare_fits(const struct spec *made_for, const struct spec *spec)
{
    return spec->payload_bytes <= SPARE_SPEC_BYTES_MAX && spec->walls == made_for->walls
        && spec->scratch_bytes == made_for->scratch_bytes;
}

bool spare_send(int control, const struct spec *spec, int input_root)
{
    union rights rights = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec payload = { (void *)(uintptr_t)spec->payload, spec->payload_bytes };
    struct msghdr message = { .msg_iov = &payload, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights };
    memcpy(CMSG_DATA(&rights.header), &input_root, sizeof input_root);
    return sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)spec->payload_bytes;
}

/* Waits for as long as it takes. The launcher has parsed the same bytes before: here they cannot be wrong any more. */
bool spare_receive(int control, struct spec *spec, int *input_root)
{
    static char received[SPARE_SPEC_BYTES_MAX];
    union rights rights;
    struct iovec payload = { received, sizeof received };
    struct msghdr message = { .msg_iov = &payload, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights };
    const char *error;
    ssize_t bytes;
    do
        bytes = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    while (bytes < 0 && errno == EINTR);
    if (bytes == 0)
        _exit(1); /* the launcher is gone, or does not need us */
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (bytes < 0)
        return false;
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int))
        || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || !spec_parse(spec, received, (size_t)bytes, &error)) {
        errno = EBADMSG;
        return false;
    }
    memcpy(input_root, CMSG_DATA(header), sizeof *input_root);
    return true;
}
