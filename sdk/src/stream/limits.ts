// The fixed numbers of the stream protocol: version, address and limits that both sides must know
// before they have spoken. What a server may choose is in its `welcome`.

export const streamVersion = 1;

/** The path of the one address of the protocol. */
export const streamPath = '/v1/stream';

/** Most bytes of one WebSocket message, either way. */
export const streamMessageBytesMax: number = 2 ** 20;

/** A payload up to this size travels whole inside its operation, a larger one in parts. */
export const wholePayloadBytesMax: number = 256 * 1024;

/** How many bytes of a payload one part carries at most: what fits one WebSocket message with the
 * head of the part. Every further part of a payload is copied once more where it arrives. */
export const partBytesMax: number = streamMessageBytesMax - 1024;

/** No payload of any queue is larger. */
export const streamPayloadBytesMax: number = 32 * 2 ** 20;

/** How long the server waits for the first message, `hello`. */
export const helloTimeoutMs = 5000;

/** Most characters of what an operation carries beside its payload: tags, path, reason. */
export const headCharactersMax: number = 64 * 1024;
