/* graphs.c - loads graphs from tests/unit/data, which make_graphs.py there wrote. */
#include "tests/support/graphs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned char *graphs_bytes(const char *name, size_t *ret_n_bytes)
{
    char path[256];
    unsigned char *bytes = malloc(1 << 20);
    snprintf(path, sizeof path, "tests/unit/data/%s.onnx", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL || bytes == NULL) {
        fprintf(stderr, "%s: cannot be read; tests run in the root of the source\n", path);
        exit(1);
    }
    *ret_n_bytes = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

int graphs_load(const char *name, celltap_model **ret_model, struct celltap_diagnosis *reterr)
{
    size_t n_bytes;
    unsigned char *bytes = graphs_bytes(name, &n_bytes);
    int err = celltap_model_load_bytes(bytes, n_bytes, ret_model, reterr);
    free(bytes);
    return err;
}

char *graphs_layers(const celltap_model *model, char *text)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t k = 1; k + 1 < celltap_model_n_layers(model); k++)
        at += (size_t)snprintf(text + at, 512 - at, "%s%s:%s", k > 1 ? " " : "",
                               celltap_layer_name(model, k), celltap_layer_kind(model, k));
    return text;
}

char *graphs_run(celltap_model *model, size_t n_steps, char *text)
{
    celltap_stream *stream;
    celltap_panel *panel;
    size_t n_values = celltap_model_n_values(model), last = celltap_model_n_layers(model) - 1;
    float *x = malloc(n_values * sizeof *x);
    size_t at = 0;
    for (size_t k = 0; k < n_values; k++)
        x[k] = (float)(k + 1);
    if (celltap_stream_new(model, &stream) < 0 || celltap_panel_new(model, 1, &panel) < 0)
        exit(1);
    for (size_t k = 0; k < n_steps; k++)
        if (celltap_step(panel, stream, x, n_values) < 0)
            exit(1);
    const float *y = celltap_panel_tensor(panel, 0, last, 0);
    text[0] = '\0';
    for (size_t k = 0; k < celltap_tensor_size(model, last, 0) && at < 480; k++)
        at += (size_t)snprintf(text + at, 512 - at, "%s%.4g", k > 0 ? " " : "", (double)y[k]);
    celltap_stream_free(stream);
    celltap_panel_free(panel);
    free(x);
    return text;
}
