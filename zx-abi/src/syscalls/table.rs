//! Every call of the home ABI (2020-06-30) and of the older levels: the one list everything else is generated from.

use super::define::{number, syscalls};
use super::{Arg, ArgType, Blocking, Category, Kind, Levels, Ret, Syscall};

syscalls! {
    // Kernel entries of the home ABI, by number.
    bti_create BtiCreate 0 Kernel Never ALL Ddk
        (iommu: Handle, options: U32, bti_id: U64, out: Out("HandleValue")) -> Status;
    bti_pin BtiPin 1 Kernel Never ALL Ddk
        (handle: Handle, options: U32, vmo: Handle, offset: U64, size: U64, addrs: Out("u64"), addrs_count: Usize,
         pmt: Out("HandleValue")) -> Status;
    bti_release_quarantine BtiReleaseQuarantine 2 Kernel Never ALL Ddk (handle: Handle) -> Status;
    channel_create ChannelCreate 3 Kernel Never ALL Channel
        (options: U32, out0: Out("HandleValue"), out1: Out("HandleValue")) -> Status;
    channel_read ChannelRead 4 Kernel Never ALL Channel
        (handle: Handle, options: U32, bytes: Out("u8"), handles: Out("HandleValue"), num_bytes: U32,
         num_handles: U32, actual_bytes: OptionalOut("u32"), actual_handles: OptionalOut("u32")) -> Status;
    channel_read_etc ChannelReadEtc 5 Kernel Never ALL Channel
        (handle: Handle, options: U32, bytes: Out("u8"), handles: Out("HandleInfo"), num_bytes: U32, num_handles: U32,
         actual_bytes: OptionalOut("u32"), actual_handles: OptionalOut("u32")) -> Status;
    channel_write ChannelWrite 6 Kernel Never ALL Channel
        (handle: Handle, options: U32, bytes: In("u8"), num_bytes: U32, handles: In("HandleValue"),
         num_handles: U32) -> Status;
    channel_write_etc ChannelWriteEtc 7 Kernel Never SINCE_2019 Channel
        (handle: Handle, options: U32, bytes: In("u8"), num_bytes: U32, handles: InOut("HandleDisposition"),
         num_handles: U32) -> Status;
    channel_call_noretry ChannelCallNoretry 8 Internal May ALL Channel
        (handle: Handle, options: U32, deadline: Time, args: In("ChannelCallArgs"), actual_bytes: Out("u32"),
         actual_handles: Out("u32")) -> Status;
    channel_call_finish ChannelCallFinish 9 Internal May ALL Channel
        (deadline: Time, args: In("ChannelCallArgs"), actual_bytes: Out("u32"), actual_handles: Out("u32")) -> Status;
    clock_get ClockGet 10 Kernel Never ALL Time (clock_id: U32, out: Out("i64")) -> Status;
    clock_adjust ClockAdjust 11 Kernel Never ALL Time (handle: Handle, clock_id: U32, offset: I64) -> Status;
    clock_get_monotonic_via_kernel ClockGetMonotonicViaKernel 12 Internal Never ONLY_2020 Time () -> Time;
    clock_create ClockCreate 13 Kernel Never ONLY_2020 Time
        (options: U64, args: In("u8"), out: Out("HandleValue")) -> Status;
    clock_read ClockRead 14 Kernel Never ONLY_2020 Time (handle: Handle, now: Out("i64")) -> Status;
    clock_get_details ClockGetDetails 15 Kernel Never ONLY_2020 Time
        (handle: Handle, options: U64, details: Out("u8")) -> Status;
    clock_update ClockUpdate 16 Kernel Never ONLY_2020 Time (handle: Handle, options: U64, args: In("u8")) -> Status;
    cprng_draw_once CprngDrawOnce 17 Internal Never ALL Random (buffer: Out("u8"), buffer_size: Usize) -> Status;
    cprng_add_entropy CprngAddEntropy 18 Kernel Never ALL Random (buffer: In("u8"), buffer_size: Usize) -> Status;
    debug_read DebugRead 19 Kernel Never ALL DebugConsole
        (handle: Handle, buffer: Out("u8"), buffer_size: Usize, actual: Out("usize")) -> Status;
    debug_write DebugWrite 20 Kernel Never ALL DebugConsole (buffer: In("u8"), buffer_size: Usize) -> Status;
    debug_send_command DebugSendCommand 21 Kernel Never ALL DebugConsole
        (resource: Handle, buffer: In("u8"), buffer_size: Usize) -> Status;
    debuglog_create DebuglogCreate 22 Kernel Never ALL Log
        (resource: Handle, options: U32, out: Out("HandleValue")) -> Status;
    debuglog_write DebuglogWrite 23 Kernel Never ALL Log
        (handle: Handle, options: U32, buffer: In("u8"), buffer_size: Usize) -> Status;
    debuglog_read DebuglogRead 24 Kernel Never ALL Log
        (handle: Handle, options: U32, buffer: Out("u8"), buffer_size: Usize) -> Status;
    event_create EventCreate 25 Kernel Never ALL Signalling (options: U32, out: Out("HandleValue")) -> Status;
    eventpair_create EventpairCreate 26 Kernel Never ALL Signalling
        (options: U32, out0: Out("HandleValue"), out1: Out("HandleValue")) -> Status;
    exception_get_thread ExceptionGetThread 27 Kernel Never SINCE_2019 Exceptions
        (handle: Handle, out: Out("HandleValue")) -> Status;
    exception_get_process ExceptionGetProcess 28 Kernel Never SINCE_2019 Exceptions
        (handle: Handle, out: Out("HandleValue")) -> Status;
    fifo_create FifoCreate 29 Kernel Never ALL Fifo
        (elem_count: Usize, elem_size: Usize, options: U32, out0: Out("HandleValue"),
         out1: Out("HandleValue")) -> Status;
    fifo_read FifoRead 30 Kernel Never ALL Fifo
        (handle: Handle, elem_size: Usize, data: Out("u8"), count: Usize,
         actual_count: OptionalOut("usize")) -> Status;
    fifo_write FifoWrite 31 Kernel Never ALL Fifo
        (handle: Handle, elem_size: Usize, data: In("u8"), count: Usize,
         actual_count: OptionalOut("usize")) -> Status;
    framebuffer_get_info FramebufferGetInfo 32 Kernel Never ALL Ddk
        (resource: Handle, format: Out("u32"), width: Out("u32"), height: Out("u32"), stride: Out("u32")) -> Status;
    framebuffer_set_range FramebufferSetRange 33 Kernel Never ALL Ddk
        (resource: Handle, vmo: Handle, len: U32, format: U32, width: U32, height: U32, stride: U32) -> Status;
    futex_wait FutexWait 34 Kernel May ALL Futex
        (value_ptr: In("i32"), current_value: I32, new_futex_owner: Handle, deadline: Time) -> Status;
    futex_wake FutexWake 35 Kernel Never ALL Futex (value_ptr: In("i32"), wake_count: U32) -> Status;
    futex_requeue FutexRequeue 36 Kernel Never ALL Futex
        (value_ptr: In("i32"), wake_count: U32, current_value: I32, requeue_ptr: In("i32"), requeue_count: U32,
         new_requeue_owner: Handle) -> Status;
    futex_wake_single_owner FutexWakeSingleOwner 37 Kernel Never ALL Futex (value_ptr: In("i32")) -> Status;
    futex_requeue_single_owner FutexRequeueSingleOwner 38 Kernel Never ALL Futex
        (value_ptr: In("i32"), current_value: I32, requeue_ptr: In("i32"), requeue_count: U32,
         new_requeue_owner: Handle) -> Status;
    futex_get_owner FutexGetOwner 39 Kernel Never ALL Futex (value_ptr: In("i32"), koid: Out("u64")) -> Status;
    guest_create GuestCreate 40 Kernel Never ALL Hypervisor
        (resource: Handle, options: U32, guest_handle: Out("HandleValue"), vmar_handle: Out("HandleValue")) -> Status;
    guest_set_trap GuestSetTrap 41 Kernel Never ALL Hypervisor
        (handle: Handle, kind: U32, addr: Vaddr, size: Usize, port_handle: Handle, key: U64) -> Status;
    handle_close HandleClose 42 Kernel Never ALL Handle (handle: Handle) -> Status;
    handle_close_many HandleCloseMany 43 Kernel Never ALL Handle
        (handles: In("HandleValue"), num_handles: Usize) -> Status;
    handle_duplicate HandleDuplicate 44 Kernel Never ALL Handle
        (handle: Handle, rights: Rights, out: Out("HandleValue")) -> Status;
    handle_replace HandleReplace 45 Kernel Never ALL Handle
        (handle: Handle, rights: Rights, out: Out("HandleValue")) -> Status;
    interrupt_create InterruptCreate 46 Kernel Never ALL Ddk
        (src_obj: Handle, src_num: U32, options: U32, out_handle: Out("HandleValue")) -> Status;
    interrupt_bind InterruptBind 47 Kernel Never ALL Ddk
        (handle: Handle, port_handle: Handle, key: U64, options: U32) -> Status;
    interrupt_wait InterruptWait 48 Kernel May ALL Ddk (handle: Handle, out_timestamp: OptionalOut("i64")) -> Status;
    interrupt_destroy InterruptDestroy 49 Kernel Never ALL Ddk (handle: Handle) -> Status;
    interrupt_ack InterruptAck 50 Kernel Never ALL Ddk (handle: Handle) -> Status;
    interrupt_trigger InterruptTrigger 51 Kernel Never ALL Ddk
        (handle: Handle, options: U32, timestamp: Time) -> Status;
    interrupt_bind_vcpu InterruptBindVcpu 52 Kernel Never ALL Ddk
        (handle: Handle, vcpu: Handle, options: U32) -> Status;
    iommu_create IommuCreate 53 Kernel Never ALL Ddk
        (resource: Handle, kind: U32, desc: In("u8"), desc_size: Usize, out: Out("HandleValue")) -> Status;
    ioports_request IoportsRequest 54 Kernel Never ALL Ddk (resource: Handle, io_addr: U16, len: U32) -> Status;
    ioports_release IoportsRelease 55 Kernel Never ONLY_2020 Ddk (resource: Handle, io_addr: U16, len: U32) -> Status;
    job_create JobCreate 56 Kernel Never ALL Job (parent_job: Handle, options: U32, out: Out("HandleValue")) -> Status;
    job_set_policy JobSetPolicy 57 Kernel Never ALL Job
        (handle: Handle, options: U32, topic: U32, policy: In("u8"), count: U32) -> Status;
    job_set_critical JobSetCritical 58 Kernel Never ONLY_2020 Job
        (job: Handle, options: U32, process: Handle) -> Status;
    ktrace_read KtraceRead 59 Kernel Never ALL Tracing
        (handle: Handle, data: Out("u8"), offset: U32, data_size: Usize, actual: Out("usize")) -> Status;
    ktrace_control KtraceControl 60 Kernel Never ALL Tracing
        (handle: Handle, action: U32, options: U32, ptr: InOut("u8")) -> Status;
    ktrace_write KtraceWrite 61 Kernel Never ALL Tracing (handle: Handle, id: U32, arg0: U32, arg1: U32) -> Status;
    nanosleep Nanosleep 62 Kernel May ALL Time (deadline: Time) -> Status;
    ticks_get_via_kernel TicksGetViaKernel 63 Internal Never ONLY_2020 Time () -> Ticks;
    msi_allocate MsiAllocate 64 Kernel Never ONLY_2020 Ddk
        (handle: Handle, count: U32, out_allocation: Out("HandleValue")) -> Status;
    msi_create MsiCreate 65 Kernel Never ONLY_2020 Ddk
        (handle: Handle, options: U32, msi_id: U32, vmo: Handle, vmo_offset: Usize,
         out_interrupt: Out("HandleValue")) -> Status;
    mtrace_control MtraceControl 66 Kernel Never ALL Tracing
        (handle: Handle, kind: U32, action: U32, options: U32, ptr: InOut("u8"), ptr_size: Usize) -> Status;
    object_wait_one ObjectWaitOne 67 Kernel May ALL Object
        (handle: Handle, signals: Signals, deadline: Time, observed: OptionalOut("Signals")) -> Status;
    object_wait_many ObjectWaitMany 68 Kernel May ALL Object
        (items: InOut("WaitItem"), count: Usize, deadline: Time) -> Status;
    object_wait_async ObjectWaitAsync 69 Kernel Never ALL Object
        (handle: Handle, port: Handle, key: U64, signals: Signals, options: U32) -> Status;
    object_signal ObjectSignal 70 Kernel Never ALL Object (handle: Handle, clear_mask: U32, set_mask: U32) -> Status;
    object_signal_peer ObjectSignalPeer 71 Kernel Never ALL Object
        (handle: Handle, clear_mask: U32, set_mask: U32) -> Status;
    object_get_property ObjectGetProperty 72 Kernel Never ALL Object
        (handle: Handle, property: U32, value: Out("u8"), value_size: Usize) -> Status;
    object_set_property ObjectSetProperty 73 Kernel Never ALL Object
        (handle: Handle, property: U32, value: In("u8"), value_size: Usize) -> Status;
    object_get_info ObjectGetInfo 74 Kernel Never ALL Object
        (handle: Handle, topic: U32, buffer: Out("u8"), buffer_size: Usize, actual: OptionalOut("usize"),
         avail: OptionalOut("usize")) -> Status;
    object_get_child ObjectGetChild 75 Kernel Never ALL Object
        (handle: Handle, koid: U64, rights: Rights, out: Out("HandleValue")) -> Status;
    object_set_profile ObjectSetProfile 76 Kernel Never ALL Object
        (handle: Handle, profile: Handle, options: U32) -> Status;
    pager_create PagerCreate 77 Kernel Never ALL Pager (options: U32, out: Out("HandleValue")) -> Status;
    pager_create_vmo PagerCreateVmo 78 Kernel Never ALL Pager
        (pager: Handle, options: U32, port: Handle, key: U64, size: U64, out: Out("HandleValue")) -> Status;
    pager_detach_vmo PagerDetachVmo 79 Kernel Never SINCE_2019 Pager (pager: Handle, vmo: Handle) -> Status;
    pager_supply_pages PagerSupplyPages 80 Kernel Never SINCE_2019 Pager
        (pager: Handle, pager_vmo: Handle, offset: U64, length: U64, aux_vmo: Handle, aux_offset: U64) -> Status;
    pager_op_range PagerOpRange 81 Kernel Never ONLY_2020 Pager
        (pager: Handle, op: U32, pager_vmo: Handle, offset: U64, length: U64, data: U64) -> Status;
    pc_firmware_tables PcFirmwareTables 82 Kernel Never ALL Ddk
        (handle: Handle, acpi_rsdp: Out("u64"), smbios: Out("u64")) -> Status;
    pci_get_nth_device PciGetNthDevice 83 Kernel Never ALL Ddk
        (handle: Handle, index: U32, out_info: Out("PcieDeviceInfo"), out_handle: Out("HandleValue")) -> Status;
    pci_enable_bus_master PciEnableBusMaster 84 Kernel Never ALL Ddk (handle: Handle, enable: Bool) -> Status;
    pci_reset_device PciResetDevice 85 Kernel Never ALL Ddk (handle: Handle) -> Status;
    pci_config_read PciConfigRead 86 Kernel Never ALL Ddk
        (handle: Handle, offset: U16, width: Usize, out_val: Out("u32")) -> Status;
    pci_config_write PciConfigWrite 87 Kernel Never ALL Ddk
        (handle: Handle, offset: U16, width: Usize, val: U32) -> Status;
    pci_cfg_pio_rw PciCfgPioRw 88 Kernel Never ALL Ddk
        (handle: Handle, bus: U8, dev: U8, func: U8, offset: U8, val: InOut("u32"), width: Usize,
         write: Bool) -> Status;
    pci_get_bar PciGetBar 89 Kernel Never ALL Ddk
        (handle: Handle, bar_num: U32, out_bar: Out("PciBar"), out_handle: Out("HandleValue")) -> Status;
    pci_map_interrupt PciMapInterrupt 90 Kernel Never ALL Ddk
        (handle: Handle, which_irq: I32, out_handle: Out("HandleValue")) -> Status;
    pci_query_irq_mode PciQueryIrqMode 91 Kernel Never ALL Ddk
        (handle: Handle, mode: U32, out_max_irqs: Out("u32")) -> Status;
    pci_set_irq_mode PciSetIrqMode 92 Kernel Never ALL Ddk
        (handle: Handle, mode: U32, requested_irq_count: U32) -> Status;
    pci_init PciInit 93 Kernel Never ALL Ddk (handle: Handle, init_buf: In("u8"), len: U32) -> Status;
    pci_add_subtract_io_range PciAddSubtractIoRange 94 Kernel Never ALL Ddk
        (handle: Handle, mmio: Bool, base: U64, len: U64, add: Bool) -> Status;
    pmt_unpin PmtUnpin 95 Kernel Never ALL Ddk (handle: Handle) -> Status;
    port_create PortCreate 96 Kernel Never ALL Port (options: U32, out: Out("HandleValue")) -> Status;
    port_queue PortQueue 97 Kernel Never ALL Port (handle: Handle, packet: In("PortPacket")) -> Status;
    port_wait PortWait 98 Kernel May ALL Port (handle: Handle, deadline: Time, packet: Out("PortPacket")) -> Status;
    port_cancel PortCancel 99 Kernel Never ALL Port (handle: Handle, source: Handle, key: U64) -> Status;
    process_exit ProcessExit 100 Kernel Never ALL Process (retcode: I64) -> NoReturn;
    process_create ProcessCreate 101 Kernel Never ALL Process
        (job: Handle, name: In("u8"), name_size: Usize, options: U32, proc_handle: Out("HandleValue"),
         vmar_handle: Out("HandleValue")) -> Status;
    process_start ProcessStart 102 Kernel Never ALL Process
        (handle: Handle, thread: Handle, entry: Vaddr, stack: Vaddr, arg1: Handle, arg2: Uptr) -> Status;
    process_read_memory ProcessReadMemory 103 Kernel Never ALL Process
        (handle: Handle, vaddr: Vaddr, buffer: Out("u8"), buffer_size: Usize, actual: Out("usize")) -> Status;
    process_write_memory ProcessWriteMemory 104 Kernel Never ALL Process
        (handle: Handle, vaddr: Vaddr, buffer: In("u8"), buffer_size: Usize, actual: Out("usize")) -> Status;
    profile_create ProfileCreate 105 Kernel Never ALL Profile
        (root_job: Handle, options: U32, profile: In("ProfileInfo"), out: Out("HandleValue")) -> Status;
    resource_create ResourceCreate 106 Kernel Never ALL Resource
        (parent_rsrc: Handle, options: U32, base: U64, size: Usize, name: In("u8"), name_size: Usize,
         resource_out: Out("HandleValue")) -> Status;
    smc_call SmcCall 107 Kernel Never ALL Ddk
        (handle: Handle, parameters: In("u8"), out_smc_result: Out("u8")) -> Status;
    socket_create SocketCreate 108 Kernel Never ALL Socket
        (options: U32, out0: Out("HandleValue"), out1: Out("HandleValue")) -> Status;
    socket_write SocketWrite 109 Kernel Never ALL Socket
        (handle: Handle, options: U32, buffer: In("u8"), buffer_size: Usize, actual: OptionalOut("usize")) -> Status;
    socket_read SocketRead 110 Kernel Never ALL Socket
        (handle: Handle, options: U32, buffer: Out("u8"), buffer_size: Usize, actual: OptionalOut("usize")) -> Status;
    socket_shutdown SocketShutdown 111 Kernel Never ALL Socket (handle: Handle, options: U32) -> Status;
    stream_create StreamCreate 112 Kernel Never ONLY_2020 Stream
        (options: U32, vmo: Handle, seek: U64, out_stream: Out("HandleValue")) -> Status;
    stream_writev StreamWritev 113 Kernel Never ONLY_2020 Stream
        (handle: Handle, options: U32, vector: In("Iovec"), num_vector: Usize,
         actual: OptionalOut("usize")) -> Status;
    stream_writev_at StreamWritevAt 114 Kernel Never ONLY_2020 Stream
        (handle: Handle, options: U32, offset: U64, vector: In("Iovec"), num_vector: Usize,
         actual: OptionalOut("usize")) -> Status;
    stream_readv StreamReadv 115 Kernel Never ONLY_2020 Stream
        (handle: Handle, options: U32, vector: In("Iovec"), num_vector: Usize,
         actual: OptionalOut("usize")) -> Status;
    stream_readv_at StreamReadvAt 116 Kernel Never ONLY_2020 Stream
        (handle: Handle, options: U32, offset: U64, vector: In("Iovec"), num_vector: Usize,
         actual: OptionalOut("usize")) -> Status;
    stream_seek StreamSeek 117 Kernel Never ONLY_2020 Stream
        (handle: Handle, whence: U32, offset: I64, out_seek: OptionalOut("u64")) -> Status;
    syscall_test_0 SyscallTest0 118 Test Never ALL Test () -> Status;
    syscall_test_1 SyscallTest1 119 Test Never ALL Test (a: I32) -> Status;
    syscall_test_2 SyscallTest2 120 Test Never ALL Test (a: I32, b: I32) -> Status;
    syscall_test_3 SyscallTest3 121 Test Never ALL Test (a: I32, b: I32, c: I32) -> Status;
    syscall_test_4 SyscallTest4 122 Test Never ALL Test (a: I32, b: I32, c: I32, d: I32) -> Status;
    syscall_test_5 SyscallTest5 123 Test Never ALL Test (a: I32, b: I32, c: I32, d: I32, e: I32) -> Status;
    syscall_test_6 SyscallTest6 124 Test Never ALL Test (a: I32, b: I32, c: I32, d: I32, e: I32, f: I32) -> Status;
    syscall_test_7 SyscallTest7 125 Test Never ALL Test
        (a: I32, b: I32, c: I32, d: I32, e: I32, f: I32, g: I32) -> Status;
    syscall_test_8 SyscallTest8 126 Test Never ALL Test
        (a: I32, b: I32, c: I32, d: I32, e: I32, f: I32, g: I32, h: I32) -> Status;
    syscall_test_wrapper SyscallTestWrapper 127 Test Never ALL Test (a: I32, b: I32, c: I32) -> Status;
    syscall_test_handle_create SyscallTestHandleCreate 128 Test Never ONLY_2020 Test
        (return_value: I32, out: Out("HandleValue")) -> Status;
    system_get_event SystemGetEvent 129 Kernel Never SINCE_2019 System
        (root_job: Handle, kind: U32, event: Out("HandleValue")) -> Status;
    system_mexec SystemMexec 130 Kernel Never ALL System
        (resource: Handle, kernel_vmo: Handle, bootimage_vmo: Handle) -> Status;
    system_mexec_payload_get SystemMexecPayloadGet 131 Kernel Never ALL System
        (resource: Handle, buffer: Out("u8"), buffer_size: Usize) -> Status;
    system_powerctl SystemPowerctl 132 Kernel Never ALL System
        (resource: Handle, cmd: U32, arg: In("SystemPowerctlArg")) -> Status;
    task_suspend TaskSuspend 133 Kernel Never ALL Task (handle: Handle, token: Out("HandleValue")) -> Status;
    task_suspend_token TaskSuspendToken 134 Kernel Never ALL Task (handle: Handle, token: Out("HandleValue")) -> Status;
    task_create_exception_channel TaskCreateExceptionChannel 135 Kernel Never SINCE_2019 Exceptions
        (handle: Handle, options: U32, out: Out("HandleValue")) -> Status;
    task_kill TaskKill 136 Kernel Never ALL Task (handle: Handle) -> Status;
    thread_exit ThreadExit 137 Kernel Never ALL Thread () -> NoReturn;
    thread_create ThreadCreate 138 Kernel Never ALL Thread
        (process: Handle, name: In("u8"), name_size: Usize, options: U32, out: Out("HandleValue")) -> Status;
    thread_start ThreadStart 139 Kernel Never ALL Thread
        (handle: Handle, thread_entry: Vaddr, stack: Vaddr, arg1: Uptr, arg2: Uptr) -> Status;
    thread_read_state ThreadReadState 140 Kernel Never ALL Thread
        (handle: Handle, kind: U32, buffer: Out("u8"), buffer_size: Usize) -> Status;
    thread_write_state ThreadWriteState 141 Kernel Never ALL Thread
        (handle: Handle, kind: U32, buffer: In("u8"), buffer_size: Usize) -> Status;
    timer_create TimerCreate 142 Kernel Never ALL Timer
        (options: U32, clock_id: U32, out: Out("HandleValue")) -> Status;
    timer_set TimerSet 143 Kernel Never ALL Timer (handle: Handle, deadline: Time, slack: Duration) -> Status;
    timer_cancel TimerCancel 144 Kernel Never ALL Timer (handle: Handle) -> Status;
    vcpu_create VcpuCreate 145 Kernel Never ALL Hypervisor
        (guest: Handle, options: U32, entry: Vaddr, out: Out("HandleValue")) -> Status;
    vcpu_resume VcpuResume 146 Kernel May ALL Hypervisor (handle: Handle, packet: Out("PortPacket")) -> Status;
    vcpu_interrupt VcpuInterrupt 147 Kernel Never ALL Hypervisor (handle: Handle, vector: U32) -> Status;
    vcpu_read_state VcpuReadState 148 Kernel Never ALL Hypervisor
        (handle: Handle, kind: U32, buffer: Out("u8"), buffer_size: Usize) -> Status;
    vcpu_write_state VcpuWriteState 149 Kernel Never ALL Hypervisor
        (handle: Handle, kind: U32, buffer: In("u8"), buffer_size: Usize) -> Status;
    vmar_allocate VmarAllocate 150 Kernel Never ALL Vmar
        (parent_vmar: Handle, options: U32, offset: U64, size: U64, child_vmar: Out("HandleValue"),
         child_addr: Out("u64")) -> Status;
    vmar_destroy VmarDestroy 151 Kernel Never ALL Vmar (handle: Handle) -> Status;
    vmar_map VmarMap 152 Kernel Never ALL Vmar
        (handle: Handle, options: U32, vmar_offset: U64, vmo: Handle, vmo_offset: U64, len: U64,
         mapped_addr: Out("u64")) -> Status;
    vmar_unmap VmarUnmap 153 Kernel Never ALL Vmar (handle: Handle, addr: Vaddr, len: U64) -> Status;
    vmar_protect VmarProtect 154 Kernel Never ALL Vmar (handle: Handle, options: U32, addr: Vaddr, len: U64) -> Status;
    vmar_op_range VmarOpRange 155 Kernel Never ONLY_2020 Vmar
        (handle: Handle, op: U32, address: Vaddr, size: Usize, buffer: InOut("u8"), buffer_size: Usize) -> Status;
    vmo_create VmoCreate 156 Kernel Never ALL Vmo (size: U64, options: U32, out: Out("HandleValue")) -> Status;
    vmo_read VmoRead 157 Kernel Never ALL Vmo
        (handle: Handle, buffer: Out("u8"), offset: U64, buffer_size: Usize) -> Status;
    vmo_write VmoWrite 158 Kernel Never ALL Vmo
        (handle: Handle, buffer: In("u8"), offset: U64, buffer_size: Usize) -> Status;
    vmo_get_size VmoGetSize 159 Kernel Never ALL Vmo (handle: Handle, size: Out("u64")) -> Status;
    vmo_set_size VmoSetSize 160 Kernel Never ALL Vmo (handle: Handle, size: U64) -> Status;
    vmo_op_range VmoOpRange 161 Kernel Never ALL Vmo
        (handle: Handle, op: U32, offset: U64, size: U64, buffer: InOut("u8"), buffer_size: Usize) -> Status;
    vmo_create_child VmoCreateChild 162 Kernel Never SINCE_2019 Vmo
        (handle: Handle, options: U32, offset: U64, size: U64, out: Out("HandleValue")) -> Status;
    vmo_set_cache_policy VmoSetCachePolicy 163 Kernel Never ALL Vmo (handle: Handle, cache_policy: U32) -> Status;
    vmo_replace_as_executable VmoReplaceAsExecutable 164 Kernel Never ALL Vmo
        (handle: Handle, vmex: Handle, out: Out("HandleValue")) -> Status;
    vmo_create_contiguous VmoCreateContiguous 165 Kernel Never ALL Vmo
        (bti: Handle, size: Usize, alignment_log2: U32, out: Out("HandleValue")) -> Status;
    vmo_create_physical VmoCreatePhysical 166 Kernel Never ALL Vmo
        (resource: Handle, paddr: Paddr, size: Usize, out: Out("HandleValue")) -> Status;
    // Home ABI, vDSO-only: no kernel entry.
    cache_flush CacheFlush - VdsoOnly Never ALL System (addr: In("u8"), size: Usize, options: U32) -> Status;
    channel_call ChannelCall - VdsoOnly May ALL Channel
        (handle: Handle, options: U32, deadline: Time, args: In("ChannelCallArgs"), actual_bytes: Out("u32"),
         actual_handles: Out("u32")) -> Status;
    clock_get_monotonic ClockGetMonotonic - VdsoOnly Never ALL Time () -> Time;
    cprng_draw CprngDraw - VdsoOnly Never ALL Random (buffer: Out("u8"), buffer_size: Usize) -> Void;
    deadline_after DeadlineAfter - VdsoOnly Never ALL Time (nanoseconds: Duration) -> Time;
    futex_wake_handle_close_thread_exit FutexWakeHandleCloseThreadExit - VdsoOnly Never ALL Futex
        (value_ptr: In("i32"), wake_count: U32, new_value: I32, close_handle: Handle) -> NoReturn;
    system_get_dcache_line_size SystemGetDcacheLineSize - VdsoOnly Never ALL System () -> U32;
    system_get_features SystemGetFeatures - VdsoOnly Never ALL System (kind: U32, features: Out("u32")) -> Status;
    system_get_num_cpus SystemGetNumCpus - VdsoOnly Never ALL System () -> U32;
    system_get_physmem SystemGetPhysmem - VdsoOnly Never ALL System () -> U64;
    system_get_version_string SystemGetVersionString - VdsoOnly Never ONLY_2020 System () -> StringView;
    ticks_get TicksGet - VdsoOnly Never ALL Time () -> Ticks;
    ticks_per_second TicksPerSecond - VdsoOnly Never ALL Time () -> Ticks;
    vmar_unmap_handle_close_thread_exit VmarUnmapHandleCloseThreadExit - VdsoOnly Never ALL Vmar
        (vmar_handle: Handle, addr: Vaddr, size: Usize, close_handle: Handle) -> Status;
    // Gone in 2020, still in 2019-07.
    clock_get_new ClockGetNew - Kernel Never UNTIL_2019 Time (clock_id: U32, out: Out("i64")) -> Status;
    socket_accept SocketAccept - Kernel Never UNTIL_2019 Socket
        (handle: Handle, out_socket: Out("HandleValue")) -> Status;
    socket_share SocketShare - Kernel Never UNTIL_2019 Socket (handle: Handle, socket_to_share: Handle) -> Status;
    system_get_version SystemGetVersion - VdsoOnly Never UNTIL_2019 System
        (version: Out("u8"), version_size: Usize) -> Status;
    task_bind_exception_port TaskBindExceptionPort - Kernel Never UNTIL_2019 Exceptions
        (handle: Handle, port: Handle, key: U64, options: U32) -> Status;
    task_resume_from_exception TaskResumeFromException - Kernel Never UNTIL_2019 Exceptions
        (handle: Handle, port: Handle, options: U32) -> Status;
    // Gone in 2019-07, still in 2018-12.
    futex_requeue_deprecated FutexRequeueDeprecated - Kernel Never ONLY_2018 Futex
        (wake_ptr: In("i32"), wake_count: U32, current_value: I32, requeue_ptr: In("i32"),
         requeue_count: U32) -> Status;
    futex_wait_deprecated FutexWaitDeprecated - Kernel May ONLY_2018 Futex
        (value_ptr: In("i32"), current_value: I32, deadline: Time) -> Status;
    log_read LogRead - Kernel Never ONLY_2018 Log (handle: Handle, len: U32, buffer: Out("u8"), options: U32) -> Status;
    log_write LogWrite - Kernel Never ONLY_2018 Log
        (handle: Handle, len: U32, buffer: In("u8"), options: U32) -> Status;
    object_get_cookie ObjectGetCookie - Kernel Never ONLY_2018 Object
        (handle: Handle, scope: Handle, cookie: Out("u64")) -> Status;
    object_set_cookie ObjectSetCookie - Kernel Never ONLY_2018 Object
        (handle: Handle, scope: Handle, cookie: U64) -> Status;
    thread_set_priority ThreadSetPriority - Kernel Never ONLY_2018 Thread (prio: I32) -> Status;
    vmar_allocate_old VmarAllocateOld - Kernel Never ONLY_2018 Vmar
        (parent_vmar: Handle, offset: U64, size: U64, map_flags: U32, child_vmar: Out("HandleValue"),
         child_addr: Out("u64")) -> Status;
    vmar_map_old VmarMapOld - Kernel Never ONLY_2018 Vmar
        (handle: Handle, vmar_offset: U64, vmo: Handle, vmo_offset: U64, len: U64, map_flags: U32,
         mapped_addr: Out("u64")) -> Status;
    vmar_protect_old VmarProtectOld - Kernel Never ONLY_2018 Vmar
        (handle: Handle, addr: Vaddr, len: U64, prot_flags: U32) -> Status;
    vmo_clone VmoClone - Kernel Never ONLY_2018 Vmo
        (handle: Handle, options: U32, offset: U64, size: U64, out: Out("HandleValue")) -> Status;
}
