// The only face of a socket that protocol handlers see, so that they run in the simulator too.

export interface Connection {
  /** Hands one whole message to the socket; false once the connection is closed. */
  send(bytes: Uint8Array): boolean;
  /** Closes with a WebSocket close code; HTTP streams just end. Safe to call twice. */
  close(code: number, reason: string): void;
  /** Bytes handed over and not yet taken by the system. */
  buffered(): number;
  onMessage(listener: (bytes: Uint8Array) => void): void;
  /** Called when `buffered()` has come down to zero after a send. */
  onDrain(listener: () => void): void;
  /** Called once, whoever closed. */
  onClose(listener: () => void): void;
}
