/* err.c - the sentence that belongs to a code.
 *
 * The list itself is CELLTAP_ERRORS in celltap.h: one row is a name, a code and a sentence. */
#include "lib/celltap.h"

const char *celltap_strerror(int code)
{
    switch (code) {
    case 0:
        return "no error";
#define ERR_SENTENCE(name, code_, sentence)                                                        \
    case code_:                                                                                    \
        return sentence;
        CELLTAP_ERRORS(ERR_SENTENCE)
#undef ERR_SENTENCE
    default:
        return "unknown error";
    }
}
