/* Counts the changes of files below a folder, or the files opened to be read, and interferes at one.

   Preloaded (LD_PRELOAD), so that it sees what Python, C++ and Rust libraries do: they all use
   these functions of libc. `arm` begins the count of one of both kinds. At number `at` of it

   - a positive `action` is a signal to the process: before the change, after half of a write;
   - a negative one is an error, -ENOSPC for example, of this change and of all later ones that need
     what is lacking; or of this file, whenever it is opened to be read.

   The count and the names lie in shared memory, so that the parent of a killed process can read them.

   Reference: ld.so(8), LD_PRELOAD; dlsym(3), RTLD_NEXT. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#define LOG_BYTES (1 << 22)

static struct {
  long count;
  size_t used;
  char log[LOG_BYTES];
} *shared;
static char root[PATH_MAX], refused[2 * PATH_MAX];
static size_t root_length;
static long chosen;
static int action, counts_reads;

__attribute__((constructor)) static void allocate(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) abort();
}

void arm(const char *folder, int reads, long at, int what) {
  strncpy(root, folder, sizeof root - 1);
  root_length = strlen(root);
  counts_reads = reads;
  chosen = at;
  action = what;
  shared->count = 0;
  shared->used = 0;
  shared->log[0] = 0;
}

long events(void) { return shared->count; }

const char *event_log(void) { return shared->log; }

static void send_signal(void) {
  kill(getpid(), action);
  if (action == SIGKILL)
    for (;;) pause();
}

static int is_below_root(const char *path) {
  return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* What a change or a read meets: nothing, a signal, or an error. */
typedef enum { NOTHING, SIGNAL, ERROR } Meets;

static Meets record(const char *kind, const char *path) {
  if (!is_below_root(path)) return NOTHING;
  long number = __sync_add_and_fetch(&shared->count, 1);
  char line[PATH_MAX + 32];
  int length = snprintf(line, sizeof line, "%s %s\n", kind, path + root_length);
  size_t begin = __sync_fetch_and_add(&shared->used, (size_t)length);
  if (begin + (size_t)length < LOG_BYTES) memcpy(shared->log + begin, line, (size_t)length);
  if (!chosen || !action) return NOTHING;
  if (action > 0) return number == chosen ? SIGNAL : NOTHING;
  if (counts_reads) {
    if (number == chosen) strcpy(refused, path);
    if (strcmp(refused, path)) return NOTHING;
  } else {
    /* A full disk still removes and renames; a folder of another user's permits neither. */
    int frees = !strcmp(kind, "remove") || !strcmp(kind, "rename") || !strcmp(kind, "fsync");
    if (number < chosen || (action == -ENOSPC && frees)) return NOTHING;
    /* A file that is open can still be written. */
    if (action == -EACCES && (!strcmp(kind, "write") || !strcmp(kind, "fsync"))) return NOTHING;
  }
  errno = -action;
  return ERROR;
}

static Meets happens_at(const char *kind, int folder, const char *path) {
  char whole[2 * PATH_MAX], link[64];
  if (!root_length || !path || !*kind || counts_reads != !strcmp(kind, "read")) return NOTHING;
  if (path[0] == '/') return record(kind, path);
  if (folder == AT_FDCWD) {
    if (!getcwd(whole, PATH_MAX)) return NOTHING;
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, whole, PATH_MAX - 1);
    if (length < 0) return NOTHING;
    whole[length] = 0;
  }
  strcat(whole, "/");
  strncat(whole, path, PATH_MAX - 1);
  return record(kind, whole);
}

static Meets happens_to(const char *kind, int file) {
  char link[64], path[PATH_MAX];
  if (!root_length || counts_reads) return NOTHING;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return NOTHING;
  path[length] = 0;
  return record(kind, path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Contents: PART is made before a process is killed, ALL otherwise; FAILED is returned. */

#define WRITE(file, part, all, failed)     \
  switch (happens_to("write", file)) {     \
    case ERROR: return failed;             \
    case SIGNAL:                           \
      if (action == SIGKILL) part;         \
      send_signal();                       \
      return all;                          \
    default: return all;                   \
  }

ssize_t write(int file, const void *data, size_t size) {
  __typeof__(&write) next = NEXT(write);
  WRITE(file, next(file, data, size / 2), next(file, data, size), -1)
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
  __typeof__(&pwrite) next = NEXT(pwrite);
  WRITE(file, next(file, data, size / 2, at), next(file, data, size, at), -1)
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
  __typeof__(&pwrite64) next = NEXT(pwrite64);
  WRITE(file, next(file, data, size / 2, at), next(file, data, size, at), -1)
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  __typeof__(&writev) next = NEXT(writev);
  WRITE(file, next(file, parts, count / 2), next(file, parts, count), -1)
}

static void write_half(const void *data, size_t size, size_t count, FILE *stream) {
  NEXT(fwrite)(data, size, count / 2, stream);
  fflush(stream);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
  WRITE(fileno(stream), write_half(data, size, count, stream),
        NEXT(fwrite)(data, size, count, stream), 0)
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size) {
  WRITE(out, (void)0, NEXT(sendfile)(out, in, offset, size), -1)
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) {
  WRITE(out, (void)0, NEXT(sendfile64)(out, in, offset, size), -1)
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
  WRITE(out, (void)0, NEXT(copy_file_range)(in, from, out, to, size, flags), -1)
}

#define CALL(meets, next, failed)    \
  switch (meets) {                   \
    case ERROR: return failed;       \
    case SIGNAL: send_signal();      \
    default: return next;            \
  }

#define ON_FILE(name, kind, parameters, arguments) \
  int name parameters { CALL(happens_to(kind, file), NEXT(name) arguments, -1) }

ON_FILE(ftruncate, "truncate", (int file, off_t size), (file, size))
ON_FILE(ftruncate64, "truncate", (int file, off64_t size), (file, size))
ON_FILE(fsync, "fsync", (int file), (file))
ON_FILE(fdatasync, "fsync", (int file), (file))

/* Names */

#define ON_PATH(name, kind, folder, parameters, arguments) \
  int name parameters { CALL(happens_at(kind, folder, path), NEXT(name) arguments, -1) }

/* A rename counts below the folder that it changes; both names lie there in our commands. */
ON_PATH(rename, "rename", AT_FDCWD, (const char *path, const char *to), (path, to))
ON_PATH(renameat, "rename", folder, (int folder, const char *path, int into, const char *to),
        (folder, path, into, to))
ON_PATH(renameat2, "rename", folder,
        (int folder, const char *path, int into, const char *to, unsigned flags),
        (folder, path, into, to, flags))
ON_PATH(link, "link", AT_FDCWD, (const char *target, const char *path), (target, path))
ON_PATH(linkat, "link", folder,
        (int of, const char *target, int folder, const char *path, int flags),
        (of, target, folder, path, flags))
ON_PATH(symlink, "link", AT_FDCWD, (const char *target, const char *path), (target, path))
ON_PATH(unlink, "remove", AT_FDCWD, (const char *path), (path))
ON_PATH(unlinkat, "remove", folder, (int folder, const char *path, int flags),
        (folder, path, flags))
ON_PATH(remove, "remove", AT_FDCWD, (const char *path), (path))
ON_PATH(rmdir, "remove", AT_FDCWD, (const char *path), (path))
ON_PATH(mkdir, "create", AT_FDCWD, (const char *path, mode_t mode), (path, mode))
ON_PATH(mkdirat, "create", folder, (int folder, const char *path, mode_t mode),
        (folder, path, mode))

/* An existing file that is opened to be written is no change yet, nor is a folder. */
#define OPENED(flags) \
  (flags & (O_CREAT | O_TRUNC) ? "create" : flags & (O_ACCMODE | O_DIRECTORY) ? "" : "read")

#define OPEN(name, folder, given, passed)                      \
  int name given {                                             \
    mode_t mode = 0;                                           \
    if (flags & (O_CREAT | __O_TMPFILE)) {                     \
      va_list more;                                            \
      va_start(more, flags);                                   \
      mode = va_arg(more, mode_t);                             \
      va_end(more);                                            \
    }                                                          \
    CALL(happens_at(OPENED(flags), folder, path), NEXT(name) passed, -1) \
  }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPEN(openat64, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

#define FOPENED(mode) (*mode == 'r' ? "read" : "create")

#define FOPEN(name)                                                                       \
  FILE *name(const char *path, const char *mode) {                                        \
    CALL(happens_at(FOPENED(mode), AT_FDCWD, path), NEXT(name)(path, mode), NULL)         \
  }

FOPEN(fopen)
FOPEN(fopen64)
