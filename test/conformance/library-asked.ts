/** Calls of the library, its errors as the drivers' own. */
import { library } from "../helpers/library.ts";
import { Failure } from "./driver.ts";

/** Anything else that the library throws is a fault. */
export async function asked<Value>(call: Promise<Value>): Promise<Value> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof library.BlackboardError)) throw error;
    throw new Failure(
      error.kind,
      error.message,
      `${error.message}\n${error.hint ?? ""}\n${error.stack ?? ""}`,
    );
  }
}
