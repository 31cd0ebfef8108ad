#include "fault_vfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    sqlite3_file base;
    int kind;
    sqlite3_file *real;
} fault_file;

static sqlite3_vfs fault_vfs;
static sqlite3_vfs *system_vfs;
static waybill_fault_op *ops;
static long op_count, op_room, calls, fail_at;
static int fail_code, keeps_notes;

static void forget(void) {
    for (long i = 0; i < op_count; i++) free((void *)ops[i].bytes);
    op_count = 0;
    calls = 0;
}

void waybill_fault_reset(long failAt, int failure, int notes) {
    forget();
    fail_at = failAt;
    fail_code = failure;
    keeps_notes = notes;
}

long waybill_fault_count(void) { return calls; }
waybill_fault_op waybill_fault_get(long index) { return ops[index]; }

/* 0, or the code that this operation must fail with. */
static int note(int kind, int file, long long offset, const void *bytes, int length) {
    calls++;
    if (calls == fail_at) return fail_code;
    if (!keeps_notes) return SQLITE_OK;
    if (op_count == op_room) {
        op_room = op_room ? op_room * 2 : 1024;
        ops = realloc(ops, op_room * sizeof *ops);
    }
    unsigned char *copy = NULL;
    if (length > 0) {
        copy = malloc(length);
        memcpy(copy, bytes, length);
    }
    ops[op_count++] = (waybill_fault_op){kind, file, offset, length, copy};
    return SQLITE_OK;
}

#define REAL(f) (((fault_file *)(f))->real)
#define KIND(f) (((fault_file *)(f))->kind)

static int f_close(sqlite3_file *f) {
    int rc = REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
    sqlite3_free(REAL(f));
    return rc;
}
static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 o) { return REAL(f)->pMethods->xRead(REAL(f), p, n, o); }
static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 o) {
    int rc = note(WAYBILL_OP_WRITE, KIND(f), o, p, n);
    return rc ? rc : REAL(f)->pMethods->xWrite(REAL(f), p, n, o);
}
static int f_truncate(sqlite3_file *f, sqlite3_int64 size) {
    int rc = note(WAYBILL_OP_TRUNCATE, KIND(f), size, NULL, 0);
    if (rc) return rc == SQLITE_IOERR_WRITE ? SQLITE_IOERR_TRUNCATE : rc;
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}
static int f_sync(sqlite3_file *f, int flags) {
    int rc = note(WAYBILL_OP_SYNC, KIND(f), 0, NULL, 0);
    if (rc) return rc == SQLITE_IOERR_WRITE ? SQLITE_IOERR_FSYNC : rc;
    return REAL(f)->pMethods->xSync(REAL(f), flags);
}
static int f_size(sqlite3_file *f, sqlite3_int64 *n) { return REAL(f)->pMethods->xFileSize(REAL(f), n); }
static int f_lock(sqlite3_file *f, int l) { return REAL(f)->pMethods->xLock(REAL(f), l); }
static int f_unlock(sqlite3_file *f, int l) { return REAL(f)->pMethods->xUnlock(REAL(f), l); }
static int f_reserved(sqlite3_file *f, int *r) { return REAL(f)->pMethods->xCheckReservedLock(REAL(f), r); }
static int f_control(sqlite3_file *f, int op, void *p) { return REAL(f)->pMethods->xFileControl(REAL(f), op, p); }
static int f_sector(sqlite3_file *f) { return REAL(f)->pMethods->xSectorSize(REAL(f)); }
/* No promise of the device: every write may tear. */
static int f_device(sqlite3_file *f) { (void)f; return 0; }
static int f_shm_map(sqlite3_file *f, int r, int n, int e, void volatile **p) {
    return REAL(f)->pMethods->xShmMap(REAL(f), r, n, e, p);
}
static int f_shm_lock(sqlite3_file *f, int o, int n, int l) { return REAL(f)->pMethods->xShmLock(REAL(f), o, n, l); }
static void f_shm_barrier(sqlite3_file *f) { REAL(f)->pMethods->xShmBarrier(REAL(f)); }
static int f_shm_unmap(sqlite3_file *f, int d) { return REAL(f)->pMethods->xShmUnmap(REAL(f), d); }

static const sqlite3_io_methods fault_methods = {
    2,        f_close,    f_read,    f_write,  f_truncate,  f_sync,     f_size,        f_lock,      f_unlock,
    f_reserved, f_control, f_sector, f_device, f_shm_map, f_shm_lock, f_shm_barrier, f_shm_unmap,
};

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
    (void)v;
    fault_file *file = (fault_file *)f;
    file->base.pMethods = NULL;
    file->kind = flags & SQLITE_OPEN_MAIN_DB ? WAYBILL_FILE_MAIN
               : flags & SQLITE_OPEN_WAL     ? WAYBILL_FILE_WAL
                                             : WAYBILL_FILE_OTHER;
    file->real = sqlite3_malloc(system_vfs->szOsFile);
    if (!file->real) return SQLITE_NOMEM;
    memset(file->real, 0, system_vfs->szOsFile);
    int rc = system_vfs->xOpen(system_vfs, name, file->real, flags, out);
    if (rc) {
        sqlite3_free(file->real);
        return rc;
    }
    file->base.pMethods = &fault_methods;
    return SQLITE_OK;
}
static int v_delete(sqlite3_vfs *v, const char *n, int s) { (void)v; return system_vfs->xDelete(system_vfs, n, s); }
static int v_access(sqlite3_vfs *v, const char *n, int f, int *r) {
    (void)v;
    return system_vfs->xAccess(system_vfs, n, f, r);
}
static int v_full(sqlite3_vfs *v, const char *n, int l, char *o) {
    (void)v;
    return system_vfs->xFullPathname(system_vfs, n, l, o);
}

void waybill_fault_register(void) {
    if (system_vfs) return;
    system_vfs = sqlite3_vfs_find(NULL);
    fault_vfs = *system_vfs;
    fault_vfs.zName = WAYBILL_FAULT_VFS;
    fault_vfs.szOsFile = sizeof(fault_file);
    fault_vfs.pNext = NULL;
    fault_vfs.xOpen = v_open;
    fault_vfs.xDelete = v_delete;
    fault_vfs.xAccess = v_access;
    fault_vfs.xFullPathname = v_full;
    sqlite3_vfs_register(&fault_vfs, 0);
}
