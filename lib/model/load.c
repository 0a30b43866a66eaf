/* load.c - the budget and the diagnosis of one attempt to load a model. */
#include "lib/model/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void load_init(struct load *load, size_t budget_bytes, struct celltap_diagnosis *reterr)
{
    *load = (struct load){.budget_bytes = budget_bytes, .reterr = reterr};
    arena_init(&load->arena);
}

void load_done(struct load *load)
{
    arena_done(&load->arena);
}

int load_take(struct load *load, size_t n_items, size_t item_bytes, void *ret_memory)
{
    size_t n_bytes;
    if (__builtin_mul_overflow(n_items, item_bytes, &n_bytes) || n_bytes > load->budget_bytes)
        return load_refuse(load, "folding this needs more memory than a model of this size may "
                                 "take: a shape in the file is too large");
    void *memory = arena_take(&load->arena, n_items, item_bytes);
    if (memory == NULL)
        return load_no_memory(load);
    load->budget_bytes -= n_bytes;
    memcpy(ret_memory, &memory, sizeof memory);
    return 0;
}

void load_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

__attribute__((format(printf, 2, 0))) static void load_say(struct load *load, const char *format,
                                                           va_list args)
{
    struct celltap_diagnosis *said = load->reterr;
    snprintf(said->node, sizeof said->node, "%s", load->node == NULL ? "" : load->node);
    vsnprintf(said->text, sizeof said->text, format, args);
    load_printable(said->node);
    load_printable(said->text);
}

int load_refuse(struct load *load, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    load_say(load, format, args);
    va_end(args);
    return CELLTAP_EREFUSED;
}

int load_invalid(struct load *load, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    load_say(load, format, args);
    va_end(args);
    return CELLTAP_EMODEL;
}

int load_unreadable(struct load *load, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    load_say(load, format, args);
    va_end(args);
    return CELLTAP_EFILE;
}

int load_no_memory(struct load *load)
{
    load_refuse(load, "out of memory while the model was loaded");
    return CELLTAP_ENOMEM;
}
