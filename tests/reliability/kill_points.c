/* Counts the changes of files below a folder, and kills the process at a chosen one.

   Preloaded (LD_PRELOAD), so that it sees what Python, C++ and Rust libraries do: they all change
   files through these functions of libc. `arm` begins the count; the change of number `at` is not
   made, except that of a write the first half is. The count and the names of the changes lie in
   shared memory, so that the parent of a killed process can read them.

   Reference: ld.so(8), LD_PRELOAD; dlsym(3), RTLD_NEXT. */

#define _GNU_SOURCE
#include <dlfcn.h>
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
  long changes;
  size_t used;
  char log[LOG_BYTES];
} *shared;
static char root[PATH_MAX];
static size_t root_length;
static long kill_at;

__attribute__((constructor)) static void allocate(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) abort();
}

void arm(const char *folder, long at) {
  strncpy(root, folder, sizeof root - 1);
  root_length = strlen(root);
  kill_at = at;
  shared->changes = 0;
  shared->used = 0;
  shared->log[0] = 0;
}

long changes(void) { return shared->changes; }

const char *change_log(void) { return shared->log; }

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int is_below_root(const char *path) {
  return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* Count a change; return whether the process is to be killed at it. */
static int happens(const char *kind, const char *path) {
  if (!is_below_root(path)) return 0;
  long number = __sync_add_and_fetch(&shared->changes, 1);
  char line[PATH_MAX + 32];
  int length = snprintf(line, sizeof line, "%s %s\n", kind, path + root_length);
  size_t begin = __sync_fetch_and_add(&shared->used, (size_t)length);
  if (begin + (size_t)length < LOG_BYTES) memcpy(shared->log + begin, line, (size_t)length);
  return number == kill_at;
}

static int happens_at(const char *kind, int folder, const char *path) {
  char whole[2 * PATH_MAX], link[64];
  if (!root_length || !path) return 0;
  if (path[0] == '/') return happens(kind, path);
  if (folder == AT_FDCWD) {
    if (!getcwd(whole, PATH_MAX)) return 0;
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, whole, PATH_MAX - 1);
    if (length < 0) return 0;
    whole[length] = 0;
  }
  strcat(whole, "/");
  strncat(whole, path, PATH_MAX - 1);
  return happens(kind, whole);
}

static int happens_to(const char *kind, int file) {
  char link[64], path[PATH_MAX];
  if (!root_length) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return happens(kind, path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Contents */

ssize_t write(int file, const void *data, size_t size) {
  if (happens_to("write", file)) {
    NEXT(write)(file, data, size / 2);
    die();
  }
  return NEXT(write)(file, data, size);
}

static ssize_t write_at(__typeof__(&pwrite) next, int file, const void *data, size_t size, off_t at) {
  if (happens_to("write", file)) {
    next(file, data, size / 2, at);
    die();
  }
  return next(file, data, size, at);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
  return write_at(NEXT(pwrite), file, data, size, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
  return write_at((__typeof__(&pwrite))NEXT(pwrite64), file, data, size, at);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  if (happens_to("write", file)) {
    NEXT(writev)(file, parts, count / 2);
    die();
  }
  return NEXT(writev)(file, parts, count);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
  if (happens_to("write", fileno(stream))) {
    NEXT(fwrite)(data, size, count / 2, stream);
    fflush(stream);
    die();
  }
  return NEXT(fwrite)(data, size, count, stream);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size) {
  if (happens_to("write", out)) die();
  return NEXT(sendfile)(out, in, offset, size);
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) {
  if (happens_to("write", out)) die();
  return NEXT(sendfile64)(out, in, offset, size);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
  if (happens_to("write", out)) die();
  return NEXT(copy_file_range)(in, from, out, to, size, flags);
}

#define ON_FILE(name, kind, parameters, arguments) \
  int name parameters {                            \
    if (happens_to(kind, file)) die();             \
    return NEXT(name) arguments;                   \
  }

ON_FILE(ftruncate, "truncate", (int file, off_t size), (file, size))
ON_FILE(ftruncate64, "truncate", (int file, off64_t size), (file, size))
ON_FILE(fsync, "fsync", (int file), (file))
ON_FILE(fdatasync, "fsync", (int file), (file))

/* Names */

#define ON_PATH(name, kind, folder, parameters, arguments) \
  int name parameters {                                    \
    if (happens_at(kind, folder, path)) die();             \
    return NEXT(name) arguments;                           \
  }

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

#define OPEN(name, folder, given, passed)                      \
  int name given {                                             \
    mode_t mode = 0;                                           \
    if (flags & (O_CREAT | __O_TMPFILE)) {                     \
      va_list more;                                            \
      va_start(more, flags);                                   \
      mode = va_arg(more, mode_t);                             \
      va_end(more);                                            \
    }                                                          \
    if (flags & (O_CREAT | O_TRUNC) && happens_at("create", folder, path)) die(); \
    return NEXT(name) passed;                                  \
  }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPEN(openat64, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

FILE *fopen(const char *path, const char *mode) {
  if (*mode != 'r' && happens_at("create", AT_FDCWD, path)) die();
  return NEXT(fopen)(path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
  if (*mode != 'r' && happens_at("create", AT_FDCWD, path)) die();
  return NEXT(fopen64)(path, mode);
}
