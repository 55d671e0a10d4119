/** What webhooks can be told of. */

export const EVENTS = ['job.running', 'job.succeeded', 'job.failed', 'job.cancelled', 'dataset.ready', 'dataset.rejected'];
