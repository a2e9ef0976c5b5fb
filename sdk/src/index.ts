// The entry of the SDK.

export * from './admin.ts';
export * from './admin-change-types.ts';
export type { EventOptions, ServiceLogOptions } from './admin-lines.ts';
export type { AdminClientOptions } from './admin-transport.ts';
export * from './admin-types.ts';
export * from './base64.ts';
export * from './client.ts';
export * from './data-frame.ts';
export * from './errors.ts';
export * from './event-types.ts';
export * from './frame-json.ts';
export type {
  ClientClock,
  ClientPlatform,
  ClientRandom,
  ClientSocket,
  ClientTimer,
  SocketEvents,
} from './platform.ts';
export type * from './queue-client.ts';
export * from './requests/callback-info.ts';
export type { DeadLetters, RedriveOptions } from './requests/dead-letters.ts';
export { isAtRest } from './requests/following.ts';
export * from './requests/request-info.ts';
export { type RequestClientOptions, RequestError } from './requests/request-transport.ts';
export * from './requests/requests.ts';
export type { RequestResult } from './requests/result.ts';
export type {
  BatchItem,
  CallbackOptions,
  RequestBody,
  SubmitOptions,
} from './requests/submission.ts';
export * from './requests/webhook.ts';
export type { CallOutcome, EndedCall, WorkerReport, WorkTerms } from './stream/membership.ts';
export * from './tags.ts';
export * from './work-client.ts';
