/** A relay says that it records for everybody: not for 2 s, as it is, but for as long as a test may take. */
export const awake = `select sync.relay_seen(true),
  setval('sync.recording_until', ((extract(epoch from clock_timestamp()) + 600) * 1000)::bigint)`;
