/* replay.c - replays streams of a journal and prints a hash of every tensor that comes out.
 *
 *     replay DIRECTORY STREAM:FROM ...     -->  stream from seq layer tensor hash n_timesteps
 *
 * Linked to the library alone, so that it can be built for another machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap_journal.h"

#define REPLAY_TENSORS 256

struct hashes {
    uint64_t of[REPLAY_TENSORS], n_steps;
};

static void hash_step(struct hashes *hashes, const struct celltap_replay_step *step)
{
    size_t n = 0;
    for (size_t i = 0; i < celltap_model_n_layers(step->model); i++)
        for (size_t j = 0; j < celltap_layer_n_tensors(step->model, i); j++, n++) {
            const float *values = celltap_panel_tensor(step->panel, 0, i, j);
            for (size_t k = 0; k < celltap_tensor_size(step->model, i, j); k++) {
                uint32_t bits;
                memcpy(&bits, &values[k], sizeof bits);
                hashes->of[n % REPLAY_TENSORS] =
                    (hashes->of[n % REPLAY_TENSORS] ^ bits) * UINT64_C(0x100000001b3);
            }
        }
    hashes->n_steps++;
}

static void print_hashes(const struct hashes *hashes, const char *range, const celltap_model *model)
{
    size_t n = 0;
    for (size_t i = 0; i < celltap_model_n_layers(model); i++)
        for (size_t j = 0; j < celltap_layer_n_tensors(model, i); j++, n++)
            printf("%s %s %s %016" PRIx64 " %" PRIu64 "\n", range, celltap_layer_name(model, i),
                   celltap_tensor_name(model, i, j), hashes->of[n % REPLAY_TENSORS],
                   hashes->n_steps);
}

static int replay(const char *directory, const char *range)
{
    char stream[256];
    struct celltap_journal_error error;
    struct celltap_replay_step step;
    struct hashes hashes = {{0}, 0};
    celltap_replay *past;
    const char *from = strrchr(range, ':');
    snprintf(stream, sizeof stream, "%.*s", (int)(from - range), range);
    struct celltap_replay_options options = {.files = celltap_files_posix(),
                                             .directory = directory,
                                             .stream = stream,
                                             .from_seq = strtoull(from + 1, NULL, 10),
                                             .to_seq = UINT64_MAX};
    int code = celltap_replay_open(&options, &past, &error);
    while (code == 0) {
        if ((code = celltap_replay_next(past, &step, &error)) <= 0)
            break;
        if (code == 1)
            hash_step(&hashes, &step);
        code = 0;
    }
    if (code < 0)
        fprintf(stderr, "replay: %s: %s\n", range, error.text);
    else if (hashes.n_steps > 0)
        print_hashes(&hashes, range, step.model);
    if (code == 0)
        celltap_replay_close(past);
    return code;
}

int main(int argc, char **argv)
{
    int code = argc > 2 ? 0 : 2;
    for (int i = 2; i < argc && code == 0; i++)
        code = strchr(argv[i], ':') != NULL ? replay(argv[1], argv[i]) : 2;
    return code == 0 ? 0 : 1;
}
