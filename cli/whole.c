/* whole.c - a file that gets its name when it is complete. */
#include "cli/whole.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool whole_names_stdout(const char *path, const struct stat *there)
{
    struct stat out;
    return !path || strcmp(path, "-") == 0 ||
           (there && fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == there->st_dev &&
            out.st_ino == there->st_ino);
}

int whole_open(const char *path, struct whole *ret_whole)
{
    struct whole whole = {.path = path && strcmp(path, "-") != 0 ? path : "standard output"};
    struct stat about, *there = path && stat(path, &about) == 0 ? &about : NULL;
    *ret_whole = (struct whole){0};
    if (whole_names_stdout(path, there)) {
        whole.file = stdout;
    } else if (there && !S_ISREG(there->st_mode)) {
        whole.file = fopen(path, "we"); /* a directory fails here */
    } else {
        whole.target = there ? realpath(path, NULL) : strdup(path);
        if (!whole.target || asprintf(&whole.part, "%s.part", whole.target) < 0)
            whole.part = NULL;
        whole.file = whole.part ? fopen(whole.part, "we") : NULL;
    }
    if (!whole.file) {
        free(whole.target);
        free(whole.part);
        return -1;
    }
    *ret_whole = whole;
    return 0;
}

bool whole_is_stdout(const struct whole *whole)
{
    return whole->file == stdout;
}

bool whole_stdout_is_unread(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return ferror(stdout) && poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP));
}

bool whole_is_unread(const struct whole *whole)
{
    return whole_is_stdout(whole) && whole_stdout_is_unread();
}

int whole_commit(struct whole *whole)
{
    int code = ferror(whole->file) ? -1 : 0;
    FILE *file = whole->file;
    if ((file == stdout ? fflush(file) : fclose(file)) != 0)
        code = -1;
    if (code < 0 && file == stdout && whole_is_unread(whole))
        code = 0;
    whole->file = NULL;
    if (code == 0 && whole->part)
        code = rename(whole->part, whole->target);
    int error = errno;
    if (code == 0) {
        free(whole->part);
        whole->part = NULL;
    }
    whole_drop(whole);
    errno = error;
    return code;
}

void whole_drop(struct whole *whole)
{
    if (whole->file && whole->file != stdout)
        fclose(whole->file);
    if (whole->part)
        unlink(whole->part);
    free(whole->target);
    free(whole->part);
    *whole = (struct whole){0};
}
