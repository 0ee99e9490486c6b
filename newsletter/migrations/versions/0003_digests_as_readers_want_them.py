"""digests as readers want them: topics, an author's words, and how a digest is made

Revision ID: 0003
Revises: 0002
"""
from alembic import op
import sqlalchemy as sa

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

# Columns are only added: to make one of SQLite's tables anew would empty those that refer to it.
def columns():
    return [
        sa.Column('theme_font', sa.String(length=20), server_default='', nullable=False),
        sa.Column('theme_radius', sa.Integer(), server_default='10', nullable=False),
        sa.Column('digest_min_entries', sa.Integer(), server_default='1', nullable=False),
        sa.Column('digest_max_wait', sa.Integer(), server_default='14', nullable=False),
        sa.Column('digest_show', sa.String(length=10), server_default='auto', nullable=False),
        sa.Column('digest_order', sa.String(length=10), server_default='newest', nullable=False),
        sa.Column('digest_sections', sa.String(length=10), server_default='none', nullable=False),
        sa.Column('section_order', sa.JSON(), server_default='[]', nullable=False),
    ]


def upgrade():
    for column in columns():
        op.add_column('mailing_lists', column)
    op.add_column('subscriptions', sa.Column('topics', sa.String(length=500), server_default='', nullable=False))
    op.add_column('editions', sa.Column('entries', sa.JSON(), server_default='[]', nullable=False))
    op.create_table('topics',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('list_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['list_id'], ['mailing_lists.id'], name=op.f('fk_topics_list_id_mailing_lists'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_topics')),
    sa.UniqueConstraint('list_id', 'name', name=op.f('uq_topics_list_id_name')),
    sqlite_autoincrement=True
    )
    op.create_table('topic_sources',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('topic_id', sa.Integer(), nullable=False),
    sa.Column('category', sa.String(length=100), nullable=True),
    sa.Column('feed_id', sa.Integer(), nullable=True),
    sa.CheckConstraint('(category IS NULL) <> (feed_id IS NULL)', name=op.f('ck_topic_sources_one_of_two')),
    sa.ForeignKeyConstraint(['feed_id'], ['feeds.id'], name=op.f('fk_topic_sources_feed_id_feeds'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['topic_id'], ['topics.id'], name=op.f('fk_topic_sources_topic_id_topics'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_topic_sources')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_topic_sources_topic_id'), 'topic_sources', ['topic_id'], unique=False)
    op.create_table('digest_intros',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('list_id', sa.Integer(), nullable=False),
    sa.Column('cadence', sa.String(length=10), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['list_id'], ['mailing_lists.id'], name=op.f('fk_digest_intros_list_id_mailing_lists'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_digest_intros')),
    sa.UniqueConstraint('list_id', 'cadence', name=op.f('uq_digest_intros_list_id_cadence')),
    sqlite_autoincrement=True
    )


def downgrade():
    op.drop_table('digest_intros')
    op.drop_index(op.f('ix_topic_sources_topic_id'), table_name='topic_sources')
    op.drop_table('topic_sources')
    op.drop_table('topics')
    op.drop_column('editions', 'entries')
    op.drop_column('subscriptions', 'topics')
    for column in columns():
        op.drop_column('mailing_lists', column.name)
