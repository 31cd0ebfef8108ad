#ifndef WAYBILL_CSQLITE_H
#define WAYBILL_CSQLITE_H

#include <sqlite3.h>

/* SQLITE_STATIC and SQLITE_TRANSIENT are casts that Swift cannot import. */
static inline sqlite3_destructor_type waybill_sqlite_static(void) { return SQLITE_STATIC; }
static inline sqlite3_destructor_type waybill_sqlite_transient(void) { return SQLITE_TRANSIENT; }

/* Variadic functions are not imported either. Before the first connection: without its statistics SQLite takes no
   process-wide lock for each allocation. */
static inline int waybill_sqlite_config_no_memory_statistics(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static inline int waybill_sqlite_config_defensive(sqlite3 *db, int on) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, on, (int *)0);
}
static inline int waybill_sqlite_config_trusted_schema(sqlite3 *db, int on) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, on, (int *)0);
}
static inline int waybill_sqlite_config_no_double_quoted_strings(sqlite3 *db) {
    int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, (int *)0);
    return rc ? rc : sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)0);
}

#endif
