/*
 * room_memory: the heap of the rooms in which libraries hold what a message says: the sorter and the door. An allocation that
 * fails ends the process, also inside libetpan, which would go on with a silently different result; what is freed is wiped, so
 * that a message that takes the room over finds nothing of those before it. GnuTLS keeps the records of a connection there.
 *
 * The C library's functions are replaced for the whole process (malloc(3), "replacing malloc"), over its own allocator.
 *
 * Not here:  builds with a sanitizer, which replaces them itself.
 */
#ifndef KITEBOX_DAEMON_ROOM_MEMORY_H
#define KITEBOX_DAEMON_ROOM_MEMORY_H

#if defined(__SANITIZE_ADDRESS__)
#define KB_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KB_SANITIZER 1
#endif
#endif
#ifndef KB_SANITIZER
#define KB_SANITIZER 0
#endif

/* Keeps what one message needs for the next, instead of giving it to the kernel and asking again each time. */
void kb_room_memory_init(void);

#endif
