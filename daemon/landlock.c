/*
 * landlock: see landlock.h. The numbers are the kernel's ABI (include/uapi/linux/landlock.h), named here so that a
 * build on old headers still uses all of a new kernel.
 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kitebox/memfd.h>

struct ruleset {
	uint64_t fs, net, scoped;
};

struct beneath {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum fs {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_ABI_1 = (1 << 13) - 1, /* all that the first version knew */
	FS_ABI_2 = FS_ABI_1 | FS_REFER,
	FS_ABI_3 = FS_ABI_2 | FS_TRUNCATE,
	FS_ABI_5 = FS_ABI_3 | 1 << 15, /* ioctl on devices */
	FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | 1 << 15,
	FS_READ = FS_READ_FILE | FS_READ_DIR,
	FS_STATE = FS_READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER |
		   FS_TRUNCATE,
};
enum net { NET_BIND_TCP = 1 << 0, NET_CONNECT_TCP = 1 << 1 };
enum scope { SCOPE_ABSTRACT_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 };
enum { ABI_WANTED = 6 };

static struct ruleset handled(long abi, bool may_connect)
{
	const unsigned net = NET_BIND_TCP | (may_connect ? 0u : (unsigned)NET_CONNECT_TCP);

	return (struct ruleset){
	    .fs = abi >= 5   ? FS_ABI_5
		  : abi >= 3 ? FS_ABI_3
		  : abi == 2 ? FS_ABI_2
			     : FS_ABI_1,
	    .net = abi >= 4 ? net : 0,
	    .scoped = abi >= 6 ? SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL : 0,
	};
}

static size_t attr_size(long abi)
{
	return abi >= 6   ? sizeof(struct ruleset)
	       : abi >= 4 ? offsetof(struct ruleset, scoped)
			  : offsetof(struct ruleset, net);
}

static bool allow(int set, int parent, uint64_t allowed)
{
	const struct beneath b = {.allowed = allowed, .parent = parent};

	return syscall(SYS_landlock_add_rule, set, RULE_PATH_BENEATH, &b, 0) == 0;
}

/* A path that does not exist on this host is no loss: there is nothing there to read. */
static bool allow_read(int set, const char *path, uint64_t fs)
{
	KB_AUTO(kb_fd_close) int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == EACCES;
	/* A rule on a file may only name the rights of files. */
	return allow(set, fd, FS_READ & fs) || (errno == EINVAL && allow(set, fd, FS_READ & FS_OF_FILES & fs));
}

static bool allow_all(int set, const struct kb_sandbox_paths *paths, uint64_t fs)
{
	if (paths->write_dir >= 0 && !allow(set, paths->write_dir, FS_STATE & fs))
		return false;
	for (size_t i = 0; paths->read && paths->read[i]; i++)
		if (!allow_read(set, paths->read[i], fs))
			return false;
	return true;
}

enum kb_status kb_landlock_close(struct kb_diag *d, const struct kb_sandbox_paths *paths, bool may_connect)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	if (abi < 1)
		return KB_FAIL(d, KB_UNSUPPORTED, 0, "the kernel has no Landlock");
	const struct ruleset attr = handled(abi, may_connect);
	KB_AUTO(kb_fd_close) int set = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size(abi), 0);

	if (set < 0)
		return KB_FAIL_SYS(d, "no Landlock ruleset could be made");
	if (!allow_all(set, paths, attr.fs))
		return KB_FAIL_SYS(d, "a Landlock rule was refused");
	if (syscall(SYS_landlock_restrict_self, set, 0) < 0)
		return KB_FAIL_SYS(d, "Landlock could not be closed");
	return abi < ABI_WANTED ? KB_FAIL(d, KB_UNSUPPORTED, (size_t)abi, "the kernel's Landlock is old") : KB_OK;
}
