import { expect, test } from "vitest";
import { type PlanRequest, requestText, standingIn } from "../../src/host/plan-request.ts";

const request: PlanRequest = {
  directory: "/project",
  file: "/project/flow.yaml",
  params: [],
  paramsFile: undefined,
  env: {},
  selectors: [],
  only: false,
  options: {},
  version: "1",
};

test("asking for everything is the same from every folder", () => {
  expect(requestText({ ...request, directory: "/project/deep" })).toBe(requestText(request));
});

test("a selector may be a path, so it depends on where the person stands", () => {
  const train = { ...request, selectors: ["train"] };
  expect(requestText({ ...train, directory: "/project/deep" })).not.toBe(requestText(train));
});

test("everything else that is asked makes another request", () => {
  const others: readonly PlanRequest[] = [
    request,
    { ...request, file: undefined },
    { ...request, params: [{ name: "lr", raw: "1" }] },
    { ...request, params: [{ name: "lr", raw: "1.0" }] },
    { ...request, paramsFile: "/p.yaml" },
    { ...request, selectors: ["a", "b"] },
    { ...request, selectors: ["a b"] },
    { ...request, only: true },
    { ...request, options: { backend: "cluster" } },
    { ...request, version: "2" },
  ];
  expect(new Set(others.map(requestText)).size).toBe(others.length);
});

test("paths of selectors start in the folder inside the project, else at its root", () => {
  expect(standingIn("/project", "/project/a/b")).toBe("a/b");
  expect(standingIn("/project", "/project")).toBe("");
  expect(standingIn("/project", "/projects/a")).toBe("");
});
