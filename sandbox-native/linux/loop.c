/*
 * The launcher's one loop: specs come in over the socket, output and reports go out, everything waits in one epoll.
 *
 *            RUN                 STARTED            ENDED record or KILL/timeout and death
 *   FREE ---------> SETTING UP ----------> RUNNING ----------> REPORTED ------> FREE
 *    |                 ^  |  FAILED record                       ^   init reaped
 *    |                 |  +--------------------------------------+
 *    +------------> SPARE ---------------------------------------+
 *      nobody waits        it died, or the next spec is another
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "launcher.h"

enum {
    CHUNK_BYTES = 64 << 10,   /* a pipe's usual capacity, so that one read empties it */
    PIPE_BYTES_MAX = 1 << 20, /* /proc/sys/fs/pipe-max-size: what an action can leave in a pipe that it enlarged */
    EVENTS_MAX = 64,
    QUIET_MS = 5, /* while actions run, the next spare waits for a pause in what they have to say */
};

enum source { SOCKET, SIGNALS, PIPES, CONTROL, INIT, STDOUT, STDERR };
enum state { FREE, SPARE, SETTING_UP, RUNNING, REPORTED };

struct stream {
    uint64_t left, dropped;
};

struct action {
    enum state state;
    uint64_t id;
    struct child child;
    uint64_t started_us, timeout_us, deadline_us; /* deadline 0: none */
    struct stream out, err;
    uint32_t stopped; /* the outcome for which we killed it, or 0 */
    bool has_record;
    struct record record;
    bool limits;
};

static struct {
    const struct config *config;
    const char *setup_step; /* why nothing can run here, or NULL */
    int setup_error;
    char limits_reason[256]; /* why cgroups cannot be used, or "" */
    int socket, epoll, pipes_epoll;
    bool congested, broken;
    struct action *actions;
    struct cgroup_slot *cgroups; /* one for each action */
    unsigned action_count;
    struct spec usual;                              /* the settings of the latest action: the next is often like it */
    enum { NOTHING, NETWORK, SPARE_AND_NETWORK } due; /* what to prepare for it */
    char *in;
    size_t in_bytes, in_capacity;
    struct outbox out;
    char chunk[FRAME_HEADER_BYTES + CHUNK_BYTES];
} loop;

static bool watch(int epoll, int fd, enum source source, unsigned index)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)source << 32 | index };
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/*
 * A child that is just being made has copies of all our descriptors for a moment, so closing alone would not end the
 * events: they would come for whoever has the action's place next.
 */
static void forget(int epoll, int *fd)
{
    if (*fd >= 0)
        epoll_ctl(epoll, EPOLL_CTL_DEL, *fd, NULL); /* fails only for what is not watched */
    close_fd(fd);
}

/* --- towards the worker --- */

/* While the worker does not take what we have, pipes are left alone: actions then wait in write(2), as on a slow disk. */
static void set_congested(bool congested)
{
    struct epoll_event event = { .events = EPOLLIN | (congested ? EPOLLOUT : 0), .data.u64 = (uint64_t)SOCKET << 32 };
    if (loop.congested == congested)
        return;
    loop.congested = congested;
    loop.broken |= epoll_ctl(loop.epoll, EPOLL_CTL_MOD, loop.socket, &event) < 0;
    if (congested)
        loop.broken |= epoll_ctl(loop.epoll, EPOLL_CTL_DEL, loop.pipes_epoll, NULL) < 0;
    else
        loop.broken |= !watch(loop.epoll, loop.pipes_epoll, PIPES, 0);
}

static void flush(void)
{
    loop.broken |= !outbox_flush(&loop.out);
    set_congested(loop.out.waiting_bytes);
}

static void send_frame(char *frame, enum frame_type type, uint64_t id, size_t payload_bytes)
{
    if (!loop.broken)
        loop.broken = !outbox_send(&loop.out, frame, type, id, payload_bytes);
    set_congested(loop.out.waiting_bytes);
}

static void send_exit(uint64_t id, struct exit_payload *exit, const char *detail)
{
    char frame[FRAME_HEADER_BYTES + sizeof *exit + DETAIL_BYTES_MAX];
    exit->detail_bytes = (uint32_t)strnlen(detail, DETAIL_BYTES_MAX);
    memcpy(frame + FRAME_HEADER_BYTES, exit, sizeof *exit);
    memcpy(frame + FRAME_HEADER_BYTES + sizeof *exit, detail, exit->detail_bytes);
    send_frame(frame, FRAME_EXIT, id, sizeof *exit + exit->detail_bytes);
}

static void refuse(uint64_t id, enum outcome outcome, const char *detail)
{
    send_exit(id, &(struct exit_payload){ .outcome = outcome }, detail);
}

/* --- from the actions --- */

/* Reads one chunk; false when there is nothing more to read now. */
static bool forward(struct action *action, enum frame_type type)
{
    int *fd = type == FRAME_STDOUT ? &action->child.out : &action->child.err;
    struct stream *stream = type == FRAME_STDOUT ? &action->out : &action->err;
    if (*fd < 0)
        return false;
    ssize_t count = read(*fd, loop.chunk + FRAME_HEADER_BYTES, CHUNK_BYTES);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (count <= 0) {
        forget(loop.pipes_epoll, fd);
        return false;
    }
    size_t kept = (uint64_t)count < stream->left ? (size_t)count : (size_t)stream->left;
    stream->left -= kept;
    stream->dropped += (size_t)count - kept;
    if (kept)
        send_frame(loop.chunk, type, action->id, kept);
    return true;
}

/* Everybody who could write is dead; the bound is for a descriptor that was handed to somebody outside. */
static bool drain(struct action *action)
{
    for (enum frame_type type = FRAME_STDOUT; type <= FRAME_STDERR; type++)
        for (int i = 0; i <= PIPE_BYTES_MAX / CHUNK_BYTES; i++) {
            if (loop.congested)
                return false; /* later, when the worker has taken what we have */
            if (!forward(action, type))
                break;
        }
    forget(loop.pipes_epoll, &action->child.out);
    forget(loop.pipes_epoll, &action->child.err);
    return true;
}

static uint64_t timeval_us(struct timeval value)
{
    return (uint64_t)value.tv_sec * 1000000 + (uint64_t)value.tv_usec;
}

static void report(struct action *action)
{
    char detail[DETAIL_BYTES_MAX] = "";
    struct cgroup_usage usage = action->limits ? cgroup_read(&loop.cgroups[action - loop.actions]) : (struct cgroup_usage){ 0 };
    bool has_run = !action->has_record || action->record.kind != RECORD_FAILED;
    const struct rusage *spent = &action->record.usage;
    uint64_t largest = (uint64_t)spent->ru_maxrss * 1024;
    struct exit_payload exit = {
        .flags = (has_run ? EXIT_FLAG_USAGE : 0) | (action->limits ? EXIT_FLAG_LIMITS_ENFORCED : 0),
        .wall_us = now_us() - action->started_us,
        .user_us = timeval_us(spent->ru_utime),
        .system_us = timeval_us(spent->ru_stime),
        .peak_memory_bytes = usage.peak_bytes > largest ? usage.peak_bytes : largest,
        .stdout_dropped = action->out.dropped,
        .stderr_dropped = action->err.dropped,
        .largest_process_bytes = largest,
        .minor_faults = (uint64_t)spent->ru_minflt,
        .major_faults = (uint64_t)spent->ru_majflt,
        .swaps = (uint64_t)spent->ru_nswap,
        .blocks_in = (uint64_t)spent->ru_inblock,
        .blocks_out = (uint64_t)spent->ru_oublock,
        .messages_sent = (uint64_t)spent->ru_msgsnd,
        .messages_received = (uint64_t)spent->ru_msgrcv,
        .signals = (uint64_t)spent->ru_nsignals,
        .voluntary_switches = (uint64_t)spent->ru_nvcsw,
        .involuntary_switches = (uint64_t)spent->ru_nivcsw,
    };
    judge(action->has_record ? &action->record : NULL, action->stopped, usage.oom, &exit, detail);
    send_exit(action->id, &exit, detail);
    action->deadline_us = 0;
    action->state = REPORTED;
}

static void read_record(struct action *action)
{
    struct record record;
    while (action->child.control >= 0 && !action->has_record) {
        ssize_t count = recv(action->child.control, &record, sizeof record, MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        if (count != (ssize_t)sizeof record) {
            forget(loop.epoll, &action->child.control); /* its end: the pidfd tells the rest */
            return;
        }
        if (record.kind == RECORD_STARTED) {
            char frame[FRAME_HEADER_BYTES];
            action->state = RUNNING;
            action->started_us = now_us();
            if (action->timeout_us)
                action->deadline_us = action->started_us + action->timeout_us;
            send_frame(frame, FRAME_STARTED, action->id, 0);
        } else {
            action->record = record;
            action->has_record = true;
            /* Its end would be news all the time until the init is reaped, which waits for a processor that we would hold. */
            forget(loop.epoll, &action->child.control);
        }
    }
}

/* The init is a zombie now, so the kernel has killed and reaped everybody in its namespace (pid_namespaces(7)). */
static void reap(struct action *action)
{
    struct rusage usage;
    if (wait4(action->child.pid, NULL, __WALL | WNOHANG, &usage) != action->child.pid)
        return; /* the pidfd stays readable */
    action->child.pid = 0;
    forget(loop.epoll, &action->child.pidfd);
    read_record(action); /* whatever it had to say has been said */
    if (!action->has_record)
        action->record.usage = usage;
}

/* Moves an action on as far as it can go. */
static void advance(struct action *action)
{
    bool is_over = action->has_record || action->child.pid == 0;
    if ((action->state == SETTING_UP || action->state == RUNNING) && is_over && drain(action))
        report(action);
    if ((action->state == REPORTED || action->state == SPARE) && action->child.pid == 0) {
        forget(loop.epoll, &action->child.control);
        forget(loop.pipes_epoll, &action->child.out);
        forget(loop.pipes_epoll, &action->child.err);
        *action = (struct action){ .child = { 0, -1, -1, -1, -1 } };
    }
}

static void stop(struct action *action, enum outcome outcome)
{
    if (action->stopped || action->has_record || (action->state != SETTING_UP && action->state != RUNNING))
        return;
    action->stopped = outcome;
    action->deadline_us = 0;
    if (syscall(SYS_pidfd_send_signal, action->child.pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        complain("kill: %s", strerror(errno));
}

/* --- from the worker --- */

static struct action *action_in(enum state state)
{
    for (unsigned i = 0; i < loop.action_count; i++)
        if (loop.actions[i].state == state)
            return &loop.actions[i];
    return NULL;
}

static struct action *find_action(uint64_t id)
{
    for (unsigned i = 0; i < loop.action_count; i++)
        if ((loop.actions[i].state == SETTING_UP || loop.actions[i].state == RUNNING) && loop.actions[i].id == id)
            return &loop.actions[i];
    return NULL;
}

/* A sandbox in the place of an action; it runs the spec, or waits for one if that is only settings. */
static bool start(struct action *action, const struct spec *spec, struct failure *failure)
{
    unsigned index = (unsigned)(action - loop.actions);
    struct cgroup_slot *cgroup = spec->walls & WALL_LIMITS ? &loop.cgroups[index] : NULL;
    *failure = (struct failure){ loop.setup_step, WALL_ROOT, loop.setup_error };
    if (loop.setup_step)
        return false;
    if (cgroup && !cgroup_prepare(cgroup, index, spec, &failure->step)) {
        failure->error = errno;
        return false;
    }
    if (!sandbox_start(loop.config, spec, cgroup, false, &action->child, failure))
        return false;
    if (!watch(loop.epoll, action->child.control, CONTROL, index) || !watch(loop.epoll, action->child.pidfd, INIT, index)
        || !watch(loop.pipes_epoll, action->child.out, STDOUT, index)
        || !watch(loop.pipes_epoll, action->child.err, STDERR, index)) {
        complain("epoll: %s", strerror(errno));
        loop.broken = true;
    }
    return true;
}

/* It sees the end of its socket and ends; unless it is dead, its end arrives as everybody's does. */
static void retire(struct action *spare)
{
    forget(loop.epoll, &spare->child.control);
    spare->state = REPORTED;
}

/* The spare with the spec on its way, or NULL: then the action starts without, and what was wrong is found and told there. */
static struct action *use_spare(const struct spec *spec)
{
    const char *step;
    struct action *spare = action_in(SPARE);
    if (!spare)
        return NULL;
    read_record(spare); /* a spare that has something to tell failed */
    if (spare_fits(&loop.usual, spec) && spare->child.control >= 0 && !spare->has_record
        && (!(spec->walls & WALL_LIMITS) || cgroup_limit(&loop.cgroups[spare - loop.actions], spec, &step))) {
        auto_close int input_root = open_input_root(spec->input_root);
        if (input_root >= 0 && spare_send(spare->child.control, spec, input_root))
            return spare;
    }
    retire(spare);
    return NULL;
}

static void run_spec(uint64_t id, const struct spec *spec)
{
    struct failure failure;
    char detail[512];
    struct action *action = use_spare(spec);
    if (!action) {
        action = action_in(FREE);
        if (!action) {
            refuse(id, OUTCOME_SETUP_FAILED, "more actions at once than the launcher was started for");
            return;
        }
        if (!loop.setup_step && (spec->walls & WALL_LIMITS) && loop.limits_reason[0]) {
            refuse(id, OUTCOME_SETUP_FAILED, loop.limits_reason);
            return;
        }
        if (!start(action, spec, &failure)) {
            snprintf(detail, sizeof detail, "%s: %s", failure.step, strerror(failure.error));
            refuse(id, OUTCOME_SETUP_FAILED, detail);
            return;
        }
        prepare_network(); /* while the child builds its root on another core: more specs may come before there is quiet */
    }

    loop.usual = *spec;
    loop.usual.arguments = loop.usual.environment = NULL; /* they go with the frame */
    loop.due = SPARE_AND_NETWORK;
    action->state = SETTING_UP;
    action->id = id;
    action->limits = spec->walls & WALL_LIMITS;
    action->out.left = spec->stdout_max;
    action->err.left = spec->stderr_max;
    action->timeout_us = spec->timeout_us;
    action->started_us = now_us();
    action->deadline_us = spec->timeout_us ? action->started_us + spec->timeout_us : 0;
}

static void make_spare(void)
{
    struct failure failure;
    struct action *spare = action_in(FREE);
    if (spare && !action_in(SPARE) && start(spare, &loop.usual, &failure))
        spare->state = SPARE; /* if not, the next action finds out why, and tells */
}

/* One thing at a time, so that a spec which comes meanwhile waits for no more than that. */
static void prepare_next(void)
{
    if (loop.due == SPARE_AND_NETWORK)
        make_spare();
    else
        prepare_network();
    loop.due--;
}

static void handle_run(uint64_t id, const char *payload, size_t bytes)
{
    struct spec spec;
    const char *error;
    if (find_action(id)) {
        loop.broken = true; /* two reports for one id would confuse both actions */
    } else if (!spec_parse(&spec, payload, bytes, &error)) {
        refuse(id, OUTCOME_SPEC_INVALID, error);
    } else {
        run_spec(id, &spec);
        spec_free(&spec);
    }
}

/* False when the bytes cannot be a worker's. */
static bool handle_frames(void)
{
    size_t used = 0;
    struct frame_header header;
    while (loop.in_bytes - used >= sizeof header) {
        memcpy(&header, loop.in + used, sizeof header);
        if (header.payload_bytes > RUN_BYTES_MAX || (header.type != FRAME_RUN && header.type != FRAME_KILL)
            || (header.type == FRAME_KILL && header.payload_bytes))
            return false;
        size_t frame_bytes = sizeof header + header.payload_bytes;
        if (frame_bytes > loop.in_capacity) {
            char *larger = realloc(loop.in, frame_bytes);
            if (!larger)
                return false;
            loop.in = larger;
            loop.in_capacity = frame_bytes;
        }
        if (loop.in_bytes - used < frame_bytes)
            break;
        struct action *action = header.type == FRAME_KILL ? find_action(header.id) : NULL;
        if (header.type == FRAME_RUN)
            handle_run(header.id, loop.in + used + sizeof header, header.payload_bytes);
        else if (action)
            stop(action, OUTCOME_KILLED);
        used += frame_bytes;
    }
    loop.in_bytes -= used;
    memmove(loop.in, loop.in + used, loop.in_bytes);
    return true;
}

static void handle_socket(uint32_t events)
{
    if (events & EPOLLOUT) {
        flush();
        for (unsigned i = 0; i < loop.action_count && !loop.congested; i++)
            advance(&loop.actions[i]);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t count = recv(loop.socket, loop.in + loop.in_bytes, loop.in_capacity - loop.in_bytes, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        loop.broken = true; /* the worker is gone */
        return;
    }
    loop.in_bytes += (size_t)count;
    if (!handle_frames()) {
        complain("the worker sent something that is no frame");
        loop.broken = true;
    }
}

static void handle_event(const struct epoll_event *event)
{
    struct action *action = &loop.actions[(uint32_t)event->data.u64];
    switch ((enum source)(event->data.u64 >> 32)) {
    case SOCKET: handle_socket(event->events); return;
    case SIGNALS: loop.broken = true; return; /* SIGTERM: as if the worker had closed */
    case PIPES: return;
    case CONTROL:
        read_record(action);
        break;
    case INIT:
        if (action->child.pid)
            reap(action);
        break;
    case STDOUT:
    case STDERR:
        if (!loop.congested)
            forward(action, event->data.u64 >> 32 == STDOUT ? FRAME_STDOUT : FRAME_STDERR);
        return;
    }
    advance(action);
}

static int next_timeout(void)
{
    uint64_t now = now_us(), nearest = UINT64_MAX;
    bool busy = false;
    for (unsigned i = 0; i < loop.action_count; i++) {
        struct action *action = &loop.actions[i];
        busy |= action->state != FREE && action->state != SPARE;
        if (!action->deadline_us)
            continue;
        if (action->deadline_us <= now)
            stop(action, OUTCOME_TIMED_OUT);
        else if (action->deadline_us < nearest)
            nearest = action->deadline_us;
    }
    if (loop.due)
        return busy ? QUIET_MS : 0;
    if (nearest == UINT64_MAX)
        return -1;
    uint64_t wait_ms = (nearest - now + 999) / 1000; /* up: early would only ask again */
    return wait_ms > 60000 ? 60000 : (int)wait_ms;
}

static void run_loop(void)
{
    struct epoll_event events[EVENTS_MAX];
    while (!loop.broken) {
        int count = epoll_wait(loop.epoll, events, EVENTS_MAX, next_timeout());
        if (count < 0 && errno != EINTR) {
            complain("epoll_wait: %s", strerror(errno));
            return;
        }
        if (count == 0 && loop.due)
            prepare_next();
        bool pipes = false;
        for (int i = 0; i < count; i++)
            pipes |= events[i].data.u64 >> 32 == PIPES;
        /* Output before endings, so that a report never overtakes it. */
        if (pipes && !loop.congested) {
            struct epoll_event outputs[EVENTS_MAX];
            int output_count = epoll_wait(loop.pipes_epoll, outputs, EVENTS_MAX, 0);
            for (int i = 0; i < output_count && !loop.broken; i++)
                handle_event(&outputs[i]);
        }
        for (int i = 0; i < count && !loop.broken; i++)
            handle_event(&events[i]);
    }
}

static bool prepare(const struct config *config)
{
    sigset_t terminate;
    loop.config = config;
    /* Twice the slots: an action that was reported keeps its place until its init is reaped. And one for the spare. */
    loop.action_count = 2 * config->slots + 1;
    loop.actions = calloc(loop.action_count, sizeof *loop.actions);
    loop.cgroups = calloc(loop.action_count, sizeof *loop.cgroups);
    loop.in_capacity = CHUNK_BYTES;
    loop.in = malloc(loop.in_capacity);
    size_t report_bytes = 2 * FRAME_HEADER_BYTES + sizeof(struct exit_payload) + DETAIL_BYTES_MAX;
    if (!loop.actions || !loop.cgroups || !loop.in
        || !outbox_open(&loop.out, loop.socket, sizeof loop.chunk + loop.action_count * report_bytes))
        return false;
    for (unsigned i = 0; i < loop.action_count; i++)
        loop.actions[i].child = (struct child){ 0, -1, -1, -1, -1 };

    sigemptyset(&terminate);
    sigaddset(&terminate, SIGTERM);
    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    loop.pipes_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop.epoll < 0 || loop.pipes_epoll < 0 || sigprocmask(SIG_BLOCK, &terminate, NULL) < 0)
        return false;
    int signals = signalfd(-1, &terminate, SFD_CLOEXEC);
    return signals >= 0 && watch(loop.epoll, signals, SIGNALS, 0) && watch(loop.epoll, loop.socket, SOCKET, 0)
        && watch(loop.epoll, loop.pipes_epoll, PIPES, 0);
}

static void end_all(void)
{
    for (unsigned i = 0; i < loop.action_count; i++)
        if (loop.actions[i].child.pid)
            kill(loop.actions[i].child.pid, SIGKILL);
    for (unsigned i = 0; i < loop.action_count; i++)
        while (loop.actions[i].child.pid && waitpid(loop.actions[i].child.pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    cgroups_stop(loop.cgroups, loop.action_count);
}

int serve(const struct config *config, int socket)
{
    char hello[FRAME_HEADER_BYTES + sizeof(uint32_t)];
    loop.socket = socket;
    if (loop.socket < 0 || !prepare(config)) {
        complain("start: %s", strerror(errno));
        return 1;
    }
    /* cgroups first: the template hides /sys. What fails here fails actions, each with the reason, not the launcher. */
    cgroups_start(loop.limits_reason, sizeof loop.limits_reason);
    loop.setup_step = "namespaces";
    if (launcher_namespaces(config) && build_template(config, &loop.setup_step))
        loop.setup_step = NULL;
    else
        loop.setup_error = errno;

    memcpy(hello + FRAME_HEADER_BYTES, &(uint32_t){ PROTOCOL_VERSION }, sizeof(uint32_t));
    send_frame(hello, FRAME_HELLO, 0, sizeof(uint32_t));
    run_loop();
    end_all();
    return 0;
}
