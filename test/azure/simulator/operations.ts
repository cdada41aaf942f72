/** Every operation of the API that the simulator knows: where it is, what it takes, what it answers. */

export interface Operation {
  /** As the official specification names it. */
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** The status of success. */
  readonly status: number;
  /** The SDK's model of the request body. */
  readonly model?: string;
}

const TABLE = `
GET    /supportedimages                                     Account_ListSupportedImages      200
GET    /nodecounts                                          Account_ListPoolNodeCounts       200
POST   /pools                                               Pool_Add                         201 PoolAddParameter
GET    /pools                                               Pool_List                        200
DELETE /pools/{poolId}                                      Pool_Delete                      202
HEAD   /pools/{poolId}                                      Pool_Exists                      200
GET    /pools/{poolId}                                      Pool_Get                         200
PATCH  /pools/{poolId}                                      Pool_Patch                       200 PoolPatchParameter
POST   /pools/{poolId}/disableautoscale                     Pool_DisableAutoScale            200
POST   /pools/{poolId}/enableautoscale                      Pool_EnableAutoScale             200 PoolEnableAutoScaleParameter
POST   /pools/{poolId}/evaluateautoscale                    Pool_EvaluateAutoScale           200 PoolEvaluateAutoScaleParameter
POST   /pools/{poolId}/resize                               Pool_Resize                      202 PoolResizeParameter
POST   /pools/{poolId}/stopresize                           Pool_StopResize                  202
POST   /pools/{poolId}/updateproperties                     Pool_UpdateProperties            204 PoolUpdatePropertiesParameter
POST   /pools/{poolId}/removenodes                          Pool_RemoveNodes                 202 NodeRemoveParameter
GET    /pools/{poolId}/nodes                                ComputeNode_List                 200
GET    /pools/{poolId}/nodes/{nodeId}                       ComputeNode_Get                  200
POST   /pools/{poolId}/nodes/{nodeId}/reboot                ComputeNode_Reboot               202 NodeRebootParameter
POST   /pools/{poolId}/nodes/{nodeId}/disablescheduling     ComputeNode_DisableScheduling    200 NodeDisableSchedulingParameter
POST   /pools/{poolId}/nodes/{nodeId}/enablescheduling      ComputeNode_EnableScheduling     200
GET    /pools/{poolId}/nodes/{nodeId}/remoteloginsettings   ComputeNode_GetRemoteLoginSettings 200
GET    /pools/{poolId}/nodes/{nodeId}/files                 File_ListFromComputeNode         200
GET    /pools/{poolId}/nodes/{nodeId}/files/{filePath}      File_GetFromComputeNode          200
HEAD   /pools/{poolId}/nodes/{nodeId}/files/{filePath}      File_GetPropertiesFromComputeNode 200
DELETE /pools/{poolId}/nodes/{nodeId}/files/{filePath}      File_DeleteFromComputeNode       200
POST   /jobs                                                Job_Add                          201 JobAddParameter
GET    /jobs                                                Job_List                         200
DELETE /jobs/{jobId}                                        Job_Delete                       202
GET    /jobs/{jobId}                                        Job_Get                          200
PATCH  /jobs/{jobId}                                        Job_Patch                        200 JobPatchParameter
PUT    /jobs/{jobId}                                        Job_Update                       200 JobUpdateParameter
POST   /jobs/{jobId}/disable                                Job_Disable                      202 JobDisableParameter
POST   /jobs/{jobId}/enable                                 Job_Enable                       202
POST   /jobs/{jobId}/terminate                              Job_Terminate                    202 JobTerminateParameter
GET    /jobs/{jobId}/jobpreparationandreleasetaskstatus     Job_ListPreparationAndReleaseTaskStatus 200
GET    /jobs/{jobId}/taskcounts                             Job_GetTaskCounts                200
POST   /jobs/{jobId}/tasks                                  Task_Add                         201 TaskAddParameter
GET    /jobs/{jobId}/tasks                                  Task_List                        200
POST   /jobs/{jobId}/addtaskcollection                      Task_AddCollection               200 TaskAddCollectionParameter
DELETE /jobs/{jobId}/tasks/{taskId}                         Task_Delete                      200
GET    /jobs/{jobId}/tasks/{taskId}                         Task_Get                         200
PUT    /jobs/{jobId}/tasks/{taskId}                         Task_Update                      200 TaskUpdateParameter
GET    /jobs/{jobId}/tasks/{taskId}/subtasksinfo            Task_ListSubtasks                200
POST   /jobs/{jobId}/tasks/{taskId}/terminate               Task_Terminate                   204
POST   /jobs/{jobId}/tasks/{taskId}/reactivate              Task_Reactivate                  204
GET    /jobs/{jobId}/tasks/{taskId}/files                   File_ListFromTask                200
GET    /jobs/{jobId}/tasks/{taskId}/files/{filePath}        File_GetFromTask                 200
HEAD   /jobs/{jobId}/tasks/{taskId}/files/{filePath}        File_GetPropertiesFromTask       200
DELETE /jobs/{jobId}/tasks/{taskId}/files/{filePath}        File_DeleteFromTask              200
`;

/** All operations, in the order of the table. */
const operations: readonly Operation[] = TABLE.trim()
  .split("\n")
  .map((line) => {
    const [method = "", path = "", id = "", status = "", model] = line.split(/\s+/);
    return { id, method, path, status: Number(status), ...(model === undefined ? {} : { model }) };
  });

const patterns = operations.map((operation) => ({
  operation,
  pattern: new RegExp(
    `^${operation.path.replaceAll("{filePath}", "(?<filePath>.+)").replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`,
  ),
}));

/** The operation of a request and the parameters in its path, decoded; `undefined` if there is none. */
export function findOperation(
  method: string,
  path: string,
): { operation: Operation; parameters: Readonly<Record<string, string>> } | undefined {
  for (const { operation, pattern } of patterns) {
    if (operation.method !== method) continue;
    const match = pattern.exec(path);
    if (match === null) continue;
    const parameters = Object.entries(match.groups ?? {}).map(([name, value]) => [
      name,
      decodeURIComponent(value),
    ]);
    return { operation, parameters: Object.fromEntries(parameters) as Record<string, string> };
  }
  return undefined;
}
