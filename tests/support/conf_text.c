/* conf_text.c - a configuration given as text, for tests: written to a file and read. */
#include "tests/support/conf_text.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_file(const char *path, const char *bytes, size_t n_bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert(fd >= 0);
    ssize_t n = write(fd, bytes, n_bytes);
    assert(n == (ssize_t)n_bytes);
    close(fd);
}

int conf_text_load(const char *text, size_t n_bytes, struct conf **ret_conf,
                   struct conf_errors *reterr)
{
    char dir[] = "/tmp/celltap-conf-XXXXXX", here[4096];
    char *r_cwd = getcwd(here, sizeof here), *r_dir = mkdtemp(dir);
    assert(r_cwd != NULL && r_dir != NULL);
    int r = chdir(dir);
    assert(r == 0);
    write_file("c.yaml", text, n_bytes);
    write_file("m.onnx", "", 0);
    int loaded = conf_load("c.yaml", ret_conf, reterr);
    unlink("c.yaml");
    unlink("m.onnx");
    r = chdir(here);
    assert(r == 0);
    rmdir(dir);
    return loaded;
}
