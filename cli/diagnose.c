/* diagnose.c - a model from a file, or one line that says why not. */
#include "cli/diagnose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/say.h"

int diagnose_load(const char *path, celltap_model **ret_model, struct celltap_diagnosis *reterr)
{
    *reterr = (struct celltap_diagnosis){0};
    errno = 0;
    int code = celltap_model_load(path, ret_model, reterr);
    if (code == 0)
        return 0;
    if (!*reterr->text)
        snprintf(reterr->text, sizeof reterr->text, "%s",
                 code == CELLTAP_EFILE && errno ? strerror(errno) : celltap_strerror(code));
    return -1;
}

void diagnose_say(const char *path, const struct celltap_diagnosis *why)
{
    if (*why->node)
        say_error("%s: node %s: %s", path, why->node, why->text);
    else if (strncmp(why->text, path, strlen(path)) == 0)
        say_error("%s", why->text);
    else
        say_error("%s: %s", path, why->text);
}
