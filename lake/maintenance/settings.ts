import { flag, whole, type Setting } from '../../runtime/config.ts';

/** Settings of whoever keeps the lake in order beside its own work: the processor. */
export const MAINTENANCE_SETTINGS = {
  maintenance: flag(
    'MAINTENANCE',
    'whether processors compact, checkpoint, clean logs and vacuum beside their work',
    true,
  ),
  maintenanceSharePercent: whole(
    'MAINTENANCE_SHARE_PERCENT',
    "largest share of a processor's time for maintenance, at low priority",
    20,
    1,
    100,
  ),
  compactAfterSeconds: whole('COMPACT_AFTER_SECONDS', 'age from which files are merged', 600, 0, 86_400),
  maintenanceMemoryMb: whole('MAINTENANCE_MEMORY_MB', "memory of a compaction's sort", 512, 256, 65_536),
  logRetentionHours: whole('LOG_RETENTION_HOURS', 'how long versions of a table can be read', 168, 1, 8_760),
  vacuumGraceHours: whole('VACUUM_GRACE_HOURS', 'how long files stay after they leave their table', 24, 1, 168),
} satisfies Record<string, Setting<unknown>>;
