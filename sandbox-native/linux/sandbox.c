/* From a spec to a running init: what the launcher prepares before the clone, and does for the child after it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "launcher.h"

static bool network_is_fresh;

static bool choose_network(const struct config *config, const struct spec *spec)
{
    if (spec->walls & WALL_NETWORK)
        return network_is_fresh || next_network();
    if (!config->privileged) {
        errno = EPERM;
        return false;
    }
    return host_network();
}

/* If it fails, the next action tries again and says why. */
void prepare_network(void)
{
    network_is_fresh = network_is_fresh || next_network();
}

static void discard(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
}

bool sandbox_start(const struct config *config, const struct spec *spec, const struct cgroup_slot *cgroup,
                   bool probe, struct child *child, struct failure *failure)
{
    auto_close int control = -1, control_inside = -1, out = -1, out_inside = -1, err = -1, err_inside = -1, pidfd = -1;
    int pair[2];

    *failure = (struct failure){ "input root", WALL_ROOT, 0 };
    auto_close int input_root = spec->arguments ? open_input_root(spec->input_root) : -1;
    if (input_root < 0 && spec->arguments)
        goto failed;

    failure->step = "pipes";
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        goto failed;
    control = pair[0], control_inside = pair[1];
    if (pipe2(pair, O_CLOEXEC) < 0)
        goto failed;
    out = pair[0], out_inside = pair[1];
    if (pipe2(pair, O_CLOEXEC) < 0)
        goto failed;
    err = pair[0], err_inside = pair[1];
    if (fcntl(out, F_SETFL, O_NONBLOCK) < 0 || fcntl(err, F_SETFL, O_NONBLOCK) < 0)
        goto failed;

    *failure = (struct failure){ "network", WALL_NETWORK, 0 };
    if (!choose_network(config, spec))
        goto failed;
    network_is_fresh = false;

    *failure = (struct failure){ "clone", spec->walls & WALL_USER ? WALL_USER : WALL_PROCESSES, 0 };
    pid_t pid = clone_init(spec->walls, cgroup ? cgroup_clone_target(cgroup) : -1, &pidfd);
    if (pid < 0)
        goto failed;
    if (pid == 0)
        init_main(&(struct sandbox){ config, spec, cgroup, control_inside, out_inside, err_inside, input_root, probe });

    /* It waits for its identity: nothing has run in there, and nothing can end before we are through with it. */
    *failure = (struct failure){ "out-of-memory score", WALL_LIMITS, 0 };
    if (!die_first(pid) && (spec->walls & WALL_LIMITS))
        goto discarded;

    *failure = (struct failure){ "identity map", spec->walls & WALL_USER ? WALL_USER : WALL_PROCESSES, 0 };
    if (((spec->walls & WALL_USER) && !map_identity(config, pid)) || send(control, "", 1, MSG_NOSIGNAL) != 1)
        goto discarded;

    *child = (struct child){ pid, pidfd, control, out, err };
    pidfd = control = out = err = -1;
    return true;

discarded:
    failure->error = errno;
    discard(pid);
    return false;

failed:
    failure->error = errno;
    return false;
}
