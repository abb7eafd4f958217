SELECT worker_id FROM procrastinate_register_worker_v1()
