"""Uses a Batch account as the official Python client does: URL, account and key are the arguments."""

import sys

import azure.batch.models as models
from azure.batch import BatchServiceClient
from azure.batch.batch_auth import SharedKeyCredentials

url, account, key = sys.argv[1:]
client = BatchServiceClient(SharedKeyCredentials(account, key), url)

image = models.ImageReference(publisher="canonical", offer="ubuntu", sku="22_04-lts")
machine = models.VirtualMachineConfiguration(image_reference=image, node_agent_sku_id="batch.node.ubuntu 22.04")
client.pool.add(models.PoolAddParameter(id="pool", vm_size="standard_d2s_v3", virtual_machine_configuration=machine, target_dedicated_nodes=1))
client.job.add(models.JobAddParameter(id="job", pool_info=models.PoolInformation(pool_id="pool")))
added = client.task.add_collection("job", [models.TaskAddParameter(id="task", command_line="/bin/echo hello")])
print([(each.task_id, each.status.value) for each in added.value])
while client.task.get("job", "task").state != models.TaskState.completed:
    pass
task = client.task.get("job", "task")
print(task.execution_info.exit_code, task.execution_info.result.value)
print(b"".join(client.file.get_from_task("job", "task", "stdout.txt")).decode())
options = models.FileGetFromTaskOptions(ocp_range="bytes=1-3")
print(b"".join(client.file.get_from_task("job", "task", "stdout.txt", options)).decode())
print([each.name for each in client.file.list_from_task("job", "task", recursive=True)])
counts = client.job.get_task_counts("job").task_counts
print(counts.completed, counts.succeeded)
try:
    client.job.add(models.JobAddParameter(id="job", pool_info=models.PoolInformation(pool_id="pool")))
except models.BatchErrorException as error:
    print(error.error.code)
client.job.delete("job")
client.pool.delete("pool")
