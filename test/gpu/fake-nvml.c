/* A stand-in for NVIDIA's libnvidia-ml.so.1. It reads what to answer from the text file named by
 * FAKE_NVML, at every call, so that a test can change memory and processes while a reader runs:
 *
 *   init_waits 0         1: nvmlInit waits until the file FAKE_NVML.go is there, and fails after 30 s
 *   stride 24            size of an entry of the process list: 16, 24, 32 or 40
 *   gpu UUID MODEL TOTAL RESERVED LOAD MODE [MIG]   memory in MiB; MODE as nvmlComputeMode; lost: LOAD = -1;
 *                                                   MIG 1: divided, 0 or absent: the card has no such mode
 *   use UUID PID MIB                            a process; MIB -1: not available
 *   memory_v2 0                                 the library does not have it
 *
 * Jobs of tests "allocate" by files PID.UUID in the folder FAKE_NVML.d: their text is MiB, and they
 * count while the process lives.
 */
#include <dirent.h>
#include <signal.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_GPUS 32
#define MAX_USES 512
#define MIB 1048576ULL

struct gpu { char uuid[64]; char model[64]; long long total, reserved; int load, mode, mig; };
struct use { char uuid[64]; unsigned pid; long long mib; };

struct state {
  int init_waits, stride, memory_v2, gpus, uses;
  struct gpu gpu[MAX_GPUS];
  struct use use[MAX_USES];
};

static void add_use(struct state *s, const char *uuid, unsigned pid, long long mib) {
  if (s->uses >= MAX_USES) return;
  struct use *u = &s->use[s->uses++];
  snprintf(u->uuid, sizeof u->uuid, "%s", uuid);
  u->pid = pid;
  u->mib = mib;
}

static void read_folder(struct state *s, const char *path) {
  char folder[4096], file[8192], uuid[64];
  unsigned pid;
  snprintf(folder, sizeof folder, "%s.d", path);
  DIR *d = opendir(folder);
  if (!d) return;
  struct dirent *e;
  while ((e = readdir(d))) {
    if (sscanf(e->d_name, "%u.%63s", &pid, uuid) != 2) continue;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) continue;
    snprintf(file, sizeof file, "%s/%s", folder, e->d_name);
    FILE *f = fopen(file, "r");
    long long mib;
    if (f && fscanf(f, "%lld", &mib) == 1) add_use(s, uuid, pid, mib);
    if (f) fclose(f);
  }
  closedir(d);
}

static struct state *load(void) {
  /* Calls come from several threads. */
  static _Thread_local struct state s;
  memset(&s, 0, sizeof s);
  s.stride = 24;
  s.memory_v2 = 1;
  const char *path = getenv("FAKE_NVML");
  FILE *f = path ? fopen(path, "r") : NULL;
  if (!f) return &s;
  char line[512], uuid[64];
  while (fgets(line, sizeof line, f)) {
    struct gpu g;
    unsigned pid;
    long long mib;
    memset(&g, 0, sizeof g);
    if (sscanf(line, "init_waits %d", &s.init_waits) == 1) continue;
    if (sscanf(line, "stride %d", &s.stride) == 1) continue;
    if (sscanf(line, "memory_v2 %d", &s.memory_v2) == 1) continue;
    if (sscanf(line, "gpu %63s %63s %lld %lld %d %d %d", g.uuid, g.model, &g.total, &g.reserved, &g.load, &g.mode, &g.mig) >= 6 && s.gpus < MAX_GPUS)
      s.gpu[s.gpus++] = g;
    else if (sscanf(line, "use %63s %u %lld", uuid, &pid, &mib) == 3)
      add_use(&s, uuid, pid, mib);
  }
  fclose(f);
  read_folder(&s, path);
  return &s;
}

/* A handle is the number of the GPU, counted from 1. */
static struct gpu *find(struct state *s, uint64_t handle) {
  return handle >= 1 && handle <= (uint64_t)s->gpus ? &s->gpu[handle - 1] : NULL;
}

static unsigned long long used(struct state *s, struct gpu *g) {
  unsigned long long sum = 0;
  for (int i = 0; i < s->uses; i++)
    if (!strcmp(s->use[i].uuid, g->uuid) && s->use[i].mib > 0) sum += (unsigned long long)s->use[i].mib;
  return sum * MIB;
}

int nvmlInit_v2(void) {
  struct state *s = load();
  char go[4096];
  snprintf(go, sizeof go, "%s.go", getenv("FAKE_NVML"));
  for (int looks = 0; s->init_waits && access(go, F_OK) != 0; looks++) {
    if (looks == 6000) return 999;
    usleep(5000);
  }
  return s->gpus ? 0 : 9;
}
int nvmlShutdown(void) { return 0; }

int nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)load()->gpus; return 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, uint64_t *handle) {
  if ((int)index >= load()->gpus) return 2;
  *handle = index + 1;
  return 0;
}

int nvmlDeviceGetUUID(uint64_t h, char *text, unsigned length) {
  struct gpu *g = find(load(), h);
  if (!g) return 2;
  snprintf(text, length, "%s", g->uuid);
  return 0;
}

int nvmlDeviceGetName(uint64_t h, char *text, unsigned length) {
  struct gpu *g = find(load(), h);
  if (!g) return 2;
  snprintf(text, length, "%s", g->model);
  for (char *c = text; *c; c++) if (*c == '_') *c = ' ';
  return 0;
}

int nvmlDeviceGetComputeMode(uint64_t h, unsigned *mode) {
  struct gpu *g = find(load(), h);
  if (!g) return 2;
  *mode = (unsigned)g->mode;
  return 0;
}

int nvmlDeviceGetMigMode(uint64_t h, unsigned *current, unsigned *pending) {
  struct gpu *g = find(load(), h);
  if (!g) return 2;
  if (!g->mig) return 3;
  *current = *pending = (unsigned)g->mig;
  return 0;
}

int nvmlDeviceGetMemoryInfo_v2(uint64_t h, unsigned char *out) {
  struct state *s = load();
  struct gpu *g = find(s, h);
  if (!g) return 2;
  if (!s->memory_v2) return 3;
  if (g->load < 0) return 15;
  unsigned version;
  memcpy(&version, out, 4);
  if (version != (40u | (2u << 24))) return 25;
  unsigned long long total = (unsigned long long)g->total * MIB, reserved = (unsigned long long)g->reserved * MIB;
  unsigned long long in_use = used(s, g), free_bytes = total - reserved - in_use;
  memcpy(out + 8, &total, 8);
  memcpy(out + 16, &reserved, 8);
  memcpy(out + 24, &free_bytes, 8);
  memcpy(out + 32, &in_use, 8);
  return 0;
}

int nvmlDeviceGetMemoryInfo(uint64_t h, unsigned long long out[3]) {
  struct state *s = load();
  struct gpu *g = find(s, h);
  if (!g) return 2;
  if (g->load < 0) return 15;
  out[0] = (unsigned long long)g->total * MIB;
  out[2] = used(s, g) + (unsigned long long)g->reserved * MIB;
  out[1] = out[0] - out[2];
  return 0;
}

int nvmlDeviceGetUtilizationRates(uint64_t h, unsigned out[2]) {
  struct gpu *g = find(load(), h);
  if (!g) return 2;
  if (g->load < 0) return 15;
  out[0] = (unsigned)g->load;
  out[1] = 0;
  return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(uint64_t h, unsigned *count, unsigned char *out) {
  struct state *s = load();
  struct gpu *g = find(s, h);
  if (!g) return 2;
  if (g->load < 0) return 15;
  unsigned n = 0, room = *count;
  for (int i = 0; i < s->uses; i++) {
    if (strcmp(s->use[i].uuid, g->uuid)) continue;
    if (n < room) {
      unsigned char *at = out + (size_t)n * (size_t)s->stride;
      unsigned long long bytes = s->use[i].mib < 0 ? ~0ULL : (unsigned long long)s->use[i].mib * MIB;
      unsigned none = ~0u;
      memcpy(at, &s->use[i].pid, 4);
      memcpy(at + 8, &bytes, 8);
      if (s->stride >= 24) { memcpy(at + 16, &none, 4); memcpy(at + 20, &none, 4); }
      if (s->stride >= 32) memset(at + 24, 0, 8);
      if (s->stride >= 40) memcpy(at + 32, &none, 4);
    }
    n++;
  }
  *count = n;
  return n > room ? 7 : 0;
}
