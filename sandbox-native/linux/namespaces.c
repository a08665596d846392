/* clone(2), namespaces(7), user_namespaces(7): which namespaces exist, who maps whom, and when each is made. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "launcher.h"

static int host_network_fd = -1;

static bool write_file(const char *path, const char *text)
{
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool write_map(pid_t pid, const char *file, unsigned inside, unsigned outside)
{
    char path[64], line[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    snprintf(line, sizeof line, "%u %u 1\n", inside, outside);
    return write_file(path, line);
}

/*
 * The launcher's own: a mount namespace in which the template root is built, and, for somebody who is not root, the
 * user namespace that gives the right to do so. Slave, not private: the host's later mounts must reach us, or an input
 * root on one of them would look empty; ours never reach the host.
 */
bool launcher_namespaces(const struct config *config)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    host_network_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (host_network_fd < 0 || unshare(CLONE_NEWNS | (config->privileged ? 0 : CLONE_NEWUSER)) < 0)
        return false;
    if (!config->privileged) {
        if (!write_file("/proc/self/setgroups", "deny") || !write_map(getpid(), "uid_map", uid, uid)
            || !write_map(getpid(), "gid_map", gid, gid))
            return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0;
}

/*
 * A network namespace costs the kernel some 400 us, as much as everything else together. So the launcher itself lives
 * in a fresh one with nothing but loopback; a child inherits it, and the launcher moves on to the next while the child
 * builds its root. Each is given to one action and never used again. IPC goes along for the same reason.
 */
bool next_network(void)
{
    return unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0 && loopback_up();
}

/* Only root may return to the host's network; next_network() leaves it again. */
bool host_network(void)
{
    return setns(host_network_fd, CLONE_NEWNET) == 0;
}

bool loopback_up(void)
{
    auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

pid_t clone_init(uint32_t walls, int cgroup, int *pidfd)
{
    struct clone_args arguments = {
        .flags = (uint64_t)CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID | (walls & WALL_USER ? CLONE_NEWUSER : 0)
            | (walls & WALL_HOSTNAME ? CLONE_NEWUTS : 0) | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = cgroup >= 0 ? (uint32_t)cgroup : 0,
    };
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

/*
 * One identity inside, one outside, and no root on either side: whoever owns the linked inputs does not exist in
 * there, so nothing in there can chmod, chown or write them (TRUST 3, hard-link tampering).
 */
bool map_identity(const struct config *config, pid_t pid)
{
    return write_map(pid, "uid_map", INSIDE_ID, config->privileged ? config->action_uid : geteuid())
        && write_map(pid, "gid_map", INSIDE_ID, config->privileged ? config->action_gid : getegid());
}
