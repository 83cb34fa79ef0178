/*
 * supervisor_privilege: what is done while kiteboxd may still be root, and how it stops being root.
 *
 * Not here:  binding of sockets (supervisor_sockets.c), which also comes before.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "supervisor.h"

enum { FILES_WANTED = 65536 };

enum kb_status kb_super_limits(struct kb_diag *d)
{
	struct rlimit files, core = {0, 0};

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return KB_FAIL_SYS(d, "the limit on descriptors cannot be read");
	files.rlim_cur = files.rlim_max;
	/* Each room takes its share of it (harden.c). More than the most is for a privileged root, and not vital. */
	const struct rlimit more = {FILES_WANTED, FILES_WANTED};

	if ((files.rlim_max >= FILES_WANTED || setrlimit(RLIMIT_NOFILE, &more) < 0) &&
	    setrlimit(RLIMIT_NOFILE, &files) < 0)
		return KB_FAIL_SYS(d, "the limit on descriptors cannot be set");
	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return KB_FAIL_SYS(d, "core dumps cannot be turned off");
	umask(077);
	return KB_OK;
}

/* The user to become, or this one when not root. */
static enum kb_status who(struct kb_diag *d, const struct kb_super *s, uid_t *ret_uid, gid_t *ret_gid)
{
	*ret_uid = geteuid();
	*ret_gid = getegid();
	if (*ret_uid != 0)
		return KB_OK;
	errno = 0;
	const struct passwd *pw = getpwnam(s->settings.user);

	if (!pw)
		return KB_FAIL(d, KB_NOTFOUND, 0,
		    "started as root, but the user of the configuration does not exist; make it, or name another in "
		    "user");
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return KB_FAIL(d, KB_DENIED, 0, "user must not be root");
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return KB_OK;
}

/* Makes the folder if it is not there, and has it belong to the user. Its parents are the administrator's. */
static enum kb_status folder(struct kb_diag *d, const char *path, mode_t mode, uid_t uid, gid_t gid, int *ret_fd)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return KB_FAIL_SYS(d, "state_dir or run_dir cannot be made");
	KB_AUTO(kb_fd_close) int fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &st) < 0)
		return KB_FAIL_SYS(d, "state_dir or run_dir cannot be opened");
	if (geteuid() == 0 && (st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
		return KB_FAIL_SYS(d, "state_dir or run_dir cannot be given to the user");
	if ((geteuid() == 0 || st.st_uid == uid) && fchmod(fd, mode) < 0)
		return KB_FAIL_SYS(d, "the mode of state_dir or run_dir cannot be set");
	*ret_fd = fd;
	fd = -1;
	return KB_OK;
}

enum kb_status kb_super_folders(struct kb_diag *d, struct kb_super *s)
{
	uid_t uid;
	gid_t gid;
	KB_AUTO(kb_fd_close) int state = -1;
	KB_AUTO(kb_fd_close) int run = -1;
	enum kb_status st = who(d, s, &uid, &gid);

	if (st == KB_OK)
		st = folder(d, s->settings.state_dir, 0700, uid, gid, &state);
	if (st == KB_OK)
		st = folder(d, s->settings.run_dir, 0755, uid, gid, &run);
	if (st != KB_OK)
		return st;
	s->lock = openat(state, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0 || (geteuid() == 0 && fchown(s->lock, uid, gid) < 0))
		return KB_FAIL_SYS(d, "the lock of state_dir cannot be opened");
	if (flock(s->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? KB_FAIL(d, KB_BUSY, 0, "another kiteboxd is at work in this state_dir")
					    : KB_FAIL_SYS(d, "state_dir cannot be locked");
	kb_super_file_put(s, KB_FILE_STATE_DIR, 0, state);
	state = -1;
	s->run_dir = run;
	run = -1;
	return KB_OK;
}

enum kb_status kb_super_drop(struct kb_diag *d, const struct kb_super *s)
{
	uid_t uid;
	gid_t gid;
	enum kb_status st = who(d, s, &uid, &gid);

	if (st != KB_OK)
		return st;
	if (geteuid() == 0) {
		if (initgroups(s->settings.user, gid) < 0 || setresgid(gid, gid, gid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			return KB_FAIL_SYS(d, "root cannot be given up");
		if (setuid(0) == 0 || geteuid() != uid || getegid() != gid)
			return KB_FAIL(d, KB_DENIED, 0, "root was not given up");
	}
	/* A leak checker must be able to look into its own process. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_DUMPABLE, (long)KB_SANITIZED, 0L, 0L, 0L) < 0)
		return KB_FAIL_SYS(d, "kiteboxd cannot be hardened");
	return KB_OK;
}
