/**
 * Checks requests and answers with Microsoft's own validator against the official specification. Answers may
 * depart from it only where the recorded answers of the real service do.
 */
import { join } from "node:path";

interface LiveMessage {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  readonly requestBody: unknown;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly responseBody: unknown;
}

export interface OpenApi {
  /** What is wrong with a request; empty if nothing is. */
  checkRequest(
    message: Pick<LiveMessage, "method" | "url" | "requestBody">,
  ): Promise<readonly string[]>;
  /** What is wrong with an answer beyond the known departures. */
  checkAnswer(message: LiveMessage): Promise<readonly string[]>;
}

interface Issue {
  readonly code: string;
  readonly message: string;
  readonly pathsInPayload?: readonly string[];
  readonly jsonPathsInPayload?: readonly string[];
}

interface Result {
  readonly isSuccessful?: boolean;
  readonly errors: readonly Issue[];
  readonly runtimeException?: { readonly code?: string; readonly message?: string };
}

interface Validator {
  initialize(): Promise<void>;
  validateLiveRequest(request: object): Promise<Result>;
  validateLiveResponse(response: object, operation: object): Promise<Result>;
}

/** Where a version of the specification lies below the folder of the official data. */
export const specificationFolder = (root: string, version: string): string =>
  join(root, "batch-openapi", version);

/** Loads a specification; takes part of a second. */
export async function loadOpenApi(folder: string): Promise<OpenApi> {
  const { LiveValidator } = (await import("oav")) as unknown as {
    LiveValidator: new (options: object, log: () => void) => Validator;
  };
  const options = {
    directory: folder,
    swaggerPathsPattern: ["**/BatchService.json"],
    isArmCall: false,
    useRelativeSourceLocationUrl: true,
  };
  const validator = new LiveValidator(options, () => undefined);
  await validator.initialize();
  return {
    async checkRequest({ method, url, requestBody }) {
      const request = { method, url, headers: JSON_HEADERS, body: requestBody };
      return texts(await validator.validateLiveRequest(request), () => false);
    },
    async checkAnswer({ method, url, status, headers, responseBody }) {
      const response = { statusCode: String(status), headers, body: responseBody };
      const result = await validator.validateLiveResponse(response, { method, url });
      return texts(result, isKnownDeparture);
    },
  };
}

const JSON_HEADERS = { "content-type": "application/json; odata=minimalmetadata" };

function texts(result: Result, isAllowed: (issue: Issue) => boolean): readonly string[] {
  const { runtimeException } = result;
  if (runtimeException !== undefined)
    return [`${runtimeException.code ?? ""} ${runtimeException.message ?? ""}`];
  return result.errors
    .filter((issue) => !isAllowed(issue))
    .map(
      ({ code, message, pathsInPayload }) =>
        `${code} at ${(pathsInPayload ?? []).join(", ")}: ${message}`,
    );
}

/** Exactly what 109 recorded answers of the service show against its own specification. */
function isKnownDeparture({ code, message, pathsInPayload = [] }: Issue): boolean {
  const path = pathsInPayload[0] ?? "";
  switch (code) {
    case "OBJECT_ADDITIONAL_PROPERTIES":
      return /odata\.metadata/.test(`${message} ${path}`);
    case "ENUM_CASE_MISMATCH":
      return /nodeFillType|category|visibility|storeLocation|status/.test(`${message} ${path}`);
    case "INVALID_TYPE":
      return path.endsWith("/contentLength");
    case "OBJECT_MISSING_REQUIRED_PROPERTY":
      return /password|accountKey|publicFQDN|displayName|startTime/.test(message);
    case "INVALID_CONTENT_TYPE":
      return true; // Files are sent as text/plain.
    default:
      return false;
  }
}
