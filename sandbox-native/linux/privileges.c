/* credentials(7), capabilities(7), prctl(2), getrlimit(2): who the action is and what it may no longer become. */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "launcher.h"

static bool set_identity(bool drop_groups, uid_t uid, gid_t gid)
{
    return (!drop_groups || setgroups(0, NULL) == 0) && setresgid(gid, gid, gid) == 0
        && setresuid(uid, uid, uid) == 0;
}

/*
 * In a user namespace this comes before the first file is made: an identity that is not mapped cannot own one
 * (EOVERFLOW). The capabilities over the namespace survive, because no root is mapped there to change from.
 * Unprivileged, setgroups(2) is denied for ever (user_namespaces(7)), so the groups stay; unmapped.
 */
bool become_action(const struct config *config, bool user_namespace)
{
    return !user_namespace || set_identity(config->privileged, INSIDE_ID, INSIDE_ID);
}

/* What can never be had again. The capabilities in use stay: the walls that a spec decides are still to be built. */
bool renounce_privileges(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return false;
    /* Up to the first that this kernel does not know; capability.h of the build may be older than the kernel. */
    int capability = 0;
    while (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
        capability++;
    return errno == EINVAL && capability > 0
        && prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0) == 0;
}

bool drop_privileges(const struct config *config, bool user_namespace)
{
    /* Without a user namespace we have been the host's root up to here. */
    if (!user_namespace && !set_identity(true, config->action_uid, config->action_gid))
        return false;

    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
    return syscall(SYS_capset, &header, none) == 0;
}

static bool limit(int resource, rlim_t value)
{
    struct rlimit both = { value, value };
    if (setrlimit((__rlimit_resource_t)resource, &both) == 0)
        return true;
    /* Somebody who is not root cannot raise above what he has; less than asked for is the best there is. */
    struct rlimit now;
    return errno == EPERM && getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < value
        && setrlimit((__rlimit_resource_t)resource, &(struct rlimit){ now.rlim_max, now.rlim_max }) == 0;
}

bool set_rlimits(const struct spec *spec)
{
    /*
     * Counted by user namespace since Linux 5.14, so this is the action's own, and a bound also where no cgroup can be
     * made; without the namespace all actions would share it. One more for init, as in the cgroup.
     */
    if ((spec->walls & WALL_USER) && spec->processes_max && !limit(RLIMIT_NPROC, (rlim_t)spec->processes_max + 1))
        return false;
    /* A core would be written into the input root, where no output was announced. */
    return limit(RLIMIT_CORE, 0) && (!spec->open_files_max || limit(RLIMIT_NOFILE, spec->open_files_max));
}
