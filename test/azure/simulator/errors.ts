/** Errors as the service answers them: a status, a code and a sentence, with details as pairs. */

export class ServiceError extends Error {
  readonly status: number;
  readonly code: string;
  readonly values: Readonly<Record<string, string>>;
  /** Seconds in `Retry-After`; `undefined` leaves the header out. */
  readonly retryAfter: number | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    values: Readonly<Record<string, string>> = {},
    retryAfter?: number,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.values = values;
    this.retryAfter = retryAfter;
  }
}

export const notFound = (what: string): ServiceError =>
  new ServiceError(404, `${what}NotFound`, `The specified ${what.toLowerCase()} does not exist.`);

export const exists = (what: string): ServiceError =>
  new ServiceError(409, `${what}Exists`, `The specified ${what.toLowerCase()} already exists.`);

export const conflict = (code: string, message: string): ServiceError =>
  new ServiceError(409, code, message);

export const invalidProperty = (name: string, value: string, reason: string): ServiceError =>
  new ServiceError(
    400,
    "InvalidPropertyValue",
    "The value provided for one of the properties in the request body is invalid.",
    { PropertyName: name, PropertyValue: value, Reason: reason },
  );

export const invalidQuery = (name: string, value: string, reason: string): ServiceError =>
  new ServiceError(
    400,
    "InvalidQueryParameterValue",
    "Value for one of the query parameters specified in the request URI is invalid.",
    { QueryParameterName: name, QueryParameterValue: value, Reason: reason },
  );
